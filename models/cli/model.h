// models/cli/model.h -- a trained model, ready to be asked.
#pragma once
#include "frontend/compile/session.h"
#include "models/data/corpus.h"
#include "models/search/beam_search.h"
#include "models/training/model_folder.h"
#include "models/training/recipe.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weft::cli {

// The onednn backend, no matter what OMP_PROC_BIND makes of this process.
ProgramOptions program_options();

// A recipe with its data: what a training run, or a picture of its graph, starts from.
struct Task {
  training::Recipe recipe;
  training::Vocabularies vocabularies;
  seq2seq::Config config;  // the recipe's, with the vocabularies' sizes
  data::Examples train, valid;
};
// `vocabularies`: those to go on with; by default they are made from the training data.
training::Vocabularies make_vocabularies(const Task& task);  // from the training data
Task read_task(const std::string& recipe, const training::Vocabularies* vocabularies = nullptr);

// How to search: what --beam, --nbest, --length-penalty and --max-length say.
struct SearchFlags {
  int64_t beam = 1;
  search::SearchOptions options;

  void add_to(CLI::App& command);  // all but --nbest
};

// Which model: MODEL and --checkpoint.
struct ModelFlags {
  std::string folder;
  training::Which which = training::Which::either;

  void add_to(CLI::App& command);
};

struct Model {
  explicit Model(const ModelFlags& flags, const search::StepOptions& step = {});

  seq2seq::Config config;
  training::Vocabularies vocabularies;
  ParameterStore store;
  search::Decoder decoder;

  using Tokens = std::vector<std::string>;
  // Why a source is not translated, or nothing.
  std::optional<std::string> refusal(const Tokens& source) const;
  // What a hypothesis that did not end was cut at, for messages: "--max-length 2x+10".
  std::string limit_text(const search::SearchOptions& options) const;
  // In the order of the sources; of an empty or a refused source no hypothesis.
  std::vector<search::Hypotheses> translate(std::span<const Tokens> sources,
                                            const search::SearchOptions& options = {});
  int64_t unknown_tokens = 0;  // met so far
};

}  // namespace weft::cli
