// models/translator/opened_model.h -- a model's folder, opened to be asked: one that was trained here,
// one as a model hub publishes it (models/published/folder.h), or an adapter of either
// (models/published/peft.h), which names its model.
#pragma once
#include "frontend/store/parameter_store.h"
#include "models/families/family.h"
#include "models/published/folder.h"
#include "models/training/folder/model_folder.h"

#include <optional>
#include <string>
#include <vector>

namespace weft {

// Of a published model for many languages, as it spells them; empty: what the folder says.
struct Languages {
  std::string source, target;
};

// A folder that was named, as what it is.
struct ModelPlace {
  std::string model;
  std::string adapter;  // empty: none
};
// GraphError where an adapter's model is not there, or adapters are named twice.
ModelPlace place_of(const std::string& folder, const std::string& adapter = {});

struct OpenedModel {
  seq2seq::Settings config;
  training::Tokenizers tokenizers;
  ParameterStore parameters;
  int64_t longest_source = 0;             // in tokens, of what it was trained on; 0: not known
  std::vector<std::string> remarks = {};  // of an adapter that was trained on another model
};

// GraphErrors or RuntimeErrors that begin with the file at fault.
// `adapter`: its folder; the parameters are those it makes of the model's. Empty: none.
OpenedModel open_model(const std::string& folder, training::Which which, ir::DType real,
                       const Languages& languages = {}, const std::string& adapter = {});
// Its parameters alone. `remarks`: as above.
ParameterStore open_parameters(const ModelPlace& place, training::Which which, ir::DType real,
                               std::vector<std::string>* remarks = nullptr);
// Of the tensors of a model's folder of any kind, or of a file of tensors.
std::string model_digest(const std::string& model);
// The tokenisers of a published folder, with the ids that its decoder starts and ends with.
training::Tokenizers published_tokenizers(const published::Folder& folder,
                                          const Languages& languages = {});

// How a published model wants to be asked, the language of the target included; nothing of ours.
std::optional<published::Generation> published_generation(const std::string& folder,
                                                          const Languages& languages = {});

// What contradicts itself in a published folder, or is not understood.
std::vector<std::string> published_remarks(const std::string& folder);

// What `weft info` tells of a published folder's tokenisers.
struct PublishedFacts {
  std::string tokenizer;  // "T5"; empty: it has none
  std::vector<std::string> languages;
};
PublishedFacts published_facts(const std::string& folder);

// The settings of a folder of any kind.
seq2seq::Settings settings_of_folder(const std::string& folder);

}  // namespace weft
