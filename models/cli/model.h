// models/cli/model.h -- a trained model, ready to be asked.
#pragma once
#include "frontend/session.h"
#include "models/data/corpus.h"
#include "models/search/greedy.h"
#include "models/training/model_folder.h"
#include "models/training/recipe.h"

#include <memory>
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
  rnn::Config config;  // the recipe's, with the vocabularies' sizes
  data::Examples train, valid;
};
// `vocabularies`: those to go on with; by default they are made from the training data.
Task read_task(const std::string& recipe, const training::Vocabularies* vocabularies = nullptr);

struct Model {
  explicit Model(const std::string& folder);

  rnn::Config config;
  training::Vocabularies vocabularies;
  ParameterStore store;
  search::Decoder decoder;

  using Tokens = std::vector<std::string>;
  // Greedy; nothing for an empty source. Results in the order of the sources.
  std::vector<Tokens> translate(std::span<const Tokens> sources);
  int64_t unknown_tokens = 0;  // met so far
};

}  // namespace weft::cli
