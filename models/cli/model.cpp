// models/cli/model.cpp -- loading, and greedy search from words to words.
#include "models/cli/model.h"

#include "backends/backend.h"
#include "models/data/tsv.h"

namespace weft::cli {

ProgramOptions program_options() { return {.backend = backends::make_onednn()}; }

Task read_task(const std::string& path, const training::Vocabularies* vocabularies) {
  Task task{.recipe = training::read_recipe(path)};
  const training::DataFiles& files = task.recipe.data;
  task.train = data::read_tsv(files.train, files.tsv);
  if (!files.valid.empty()) task.valid = data::read_tsv(files.valid, files.tsv);
  task.vocabularies =
      vocabularies != nullptr
          ? *vocabularies
          : training::Vocabularies{data::Vocabulary::from_counts(
                                       data::count_source_tokens(task.train), "source vocabulary",
                                       files.source_min_count, files.source_max_size),
                                   data::Vocabulary::from_counts(
                                       data::count_target_tokens(task.train), "target vocabulary",
                                       files.target_min_count, files.target_max_size)};
  task.config = task.recipe.model;
  task.config.source_vocabulary = task.vocabularies.source.size();
  task.config.target_vocabulary = task.vocabularies.target.size();
  task.config.seed = task.recipe.seed;
  task.recipe.batch.seed = task.recipe.seed;
  rnn::check(task.config);
  return task;
}

Model::Model(const std::string& path)
    : config(training::ModelFolder(path).config()),
      vocabularies(training::ModelFolder(path).vocabularies()),
      store(training::ModelFolder(path).load()),
      decoder(config, program_options()) {}

std::vector<Model::Tokens> Model::translate(std::span<const Tokens> sources) {
  std::vector<data::EncodedExample> examples;
  std::vector<size_t> places;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].empty()) continue;
    data::EncodedExample e{.source = vocabularies.source.encode(sources[i]),
                           .target = {},
                           .id = static_cast<int64_t>(i)};
    unknown_tokens += std::count(e.source.begin(), e.source.end(), data::kUnk);
    examples.push_back(std::move(e));
    places.push_back(i);
  }
  std::vector<Tokens> results(sources.size());
  if (examples.empty()) return results;
  const auto found =
      search::greedy(decoder, store, examples, {.max_rows = 128, .max_tokens = 16384});
  for (size_t i = 0; i < found.size(); ++i)
    results[places[i]] = vocabularies.target.decode(found[i]);
  return results;
}

}  // namespace weft::cli
