// models/translator/opened_model.h -- a model's folder, opened to be asked: one that was trained here,
// or one as a model hub publishes it (models/published/folder.h).
#pragma once
#include "frontend/store/parameter_store.h"
#include "models/families/family.h"
#include "models/published/generation.h"
#include "models/training/model_folder.h"

#include <optional>
#include <string>
#include <vector>

namespace weft {

// Of a published model for many languages, as it spells them; empty: what the folder says.
struct Languages {
  std::string source, target;
};

struct OpenedModel {
  seq2seq::Settings config;
  training::Tokenizers tokenizers;
  ParameterStore parameters;
  int64_t longest_source = 0;  // in tokens, of what it was trained on; 0: not known
};

// GraphErrors or RuntimeErrors that begin with the file at fault.
OpenedModel open_model(const std::string& folder, training::Which which, ir::DType real,
                       const Languages& languages = {});

// How a published model wants to be asked, the language of the target included; nothing of ours.
std::optional<published::Generation> published_generation(const std::string& folder,
                                                          const Languages& languages = {});

// What contradicts itself in a published folder, or is not understood.
std::vector<std::string> published_remarks(const std::string& folder);

// The settings of a folder of either kind.
seq2seq::Settings settings_of_folder(const std::string& folder);

}  // namespace weft
