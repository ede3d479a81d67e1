// models/translator/task.cpp -- reading recipes' data, and checking it against the model.
#include "models/translator/task.h"

#include "backends/backend.h"
#include "ir/error.h"
#include "models/data/tsv.h"

#include <algorithm>

namespace weft {
namespace {

// Examples that the model has too few positions for are refused at their line.
void check_positions(const data::Examples& examples, const std::string& file,
                     const training::Recipe& recipe, int64_t most) {
  const auto check = [&](const data::Example& e, const char* side, int64_t tokens, int64_t end) {
    if (most > 0 && tokens + end > most)
      throw ir::GraphError(ir::concat(file, ":", e.id, ": error: the ", side, " has ", tokens,
                                      " tokens", end > 0 ? " and </s>" : "",
                                      ", model.max_positions is ", most, " (",
                                      recipe.where("model.max_positions"), ")"));
  };
  for (const data::Example& e : examples) {
    check(e, "source", std::ssize(e.source), 0);
    check(e, "target", std::ssize(e.target), 1);
  }
}

data::Vocabulary vocabulary_of(const data::TokenCounts& counts, const training::Recipe& recipe,
                               const std::string& side, int64_t least, int64_t most) {
  try {
    return data::Vocabulary::from_counts(counts, side + " vocabulary", least, most);
  } catch (const ir::GraphError& e) {
    throw ir::GraphError(
        ir::concat(recipe.where("data." + side + "_min_count"), ": error: ", e.what()));
  }
}

data::EncodedCorpus encoded(const Task& task, const data::Examples& examples) {
  return data::encode(examples, task.vocabularies.source, task.vocabularies.target);
}

}  // namespace

training::Vocabularies make_vocabularies(const Task& task) {
  const training::DataFiles& files = task.recipe.data;
  return {vocabulary_of(data::count_source_tokens(task.train), task.recipe, "source",
                        files.source_min_count, files.source_max_size),
          vocabulary_of(data::count_target_tokens(task.train), task.recipe, "target",
                        files.target_min_count, files.target_max_size)};
}

Task read_task(const std::string& path, const training::Vocabularies* vocabularies) {
  Task task{.recipe = training::read_recipe(path)};
  const training::DataFiles& files = task.recipe.data;
  task.train = data::read_tsv(files.train, files.tsv);
  if (!files.valid.empty()) task.valid = data::read_tsv(files.valid, files.tsv);
  const int64_t positions = seq2seq::most_positions(task.recipe.model);
  check_positions(task.train, files.train, task.recipe, positions);
  check_positions(task.valid, files.valid, task.recipe, positions);
  task.recipe.batch.widest = positions;
  task.vocabularies = vocabularies != nullptr ? *vocabularies : make_vocabularies(task);
  task.config = task.recipe.model;
  seq2seq::set_vocabularies(task.config, task.vocabularies.source.size(),
                            task.vocabularies.target.size());
  seq2seq::set_seed(task.config, task.recipe.seed);
  task.recipe.batch.seed = task.recipe.seed;
  try {
    seq2seq::check(task.config);
  } catch (const ir::GraphError& e) {
    throw ir::GraphError(
        ir::concat(task.recipe.where("model.shared_embedding"), ": error: ", e.what()));
  }
  return task;
}

BatchSizes largest_batch(const Task& task) {
  const data::BatchOptions& batch = task.recipe.batch;
  BatchSizes sizes;
  size_t source = 1, target = 1;
  for (const data::Example& e : task.train) {
    source = std::max(source, e.source.size());
    target = std::max(target, e.target.size() + 1);  // </s>
  }
  sizes.source = data::padded_width(static_cast<int64_t>(source), batch.round_source, batch);
  sizes.target = data::padded_width(static_cast<int64_t>(target), batch.round_target, batch);
  sizes.rows = std::min(batch.max_rows, std::ssize(task.train));
  if (batch.max_tokens > 0)
    sizes.rows =
        std::clamp<int64_t>(batch.max_tokens / std::max(sizes.source, sizes.target), 1, sizes.rows);
  sizes.rows = (sizes.rows + batch.accumulate - 1) / batch.accumulate;
  return sizes;
}

training::TrainerSetup trainer_setup(const Task& task, const training::ModelFolder& folder,
                                     ProgramOptions program) {
  if (program.backend == nullptr) program.backend = backends::make_onednn();
  if (program.memory_budget == 0) program.memory_budget = task.recipe.memory_budget;
  program.budget_sizes = largest_batch(task).bindings();
  return {.config = task.config,
          .optimizer = task.recipe.optimizer,
          .rate = task.recipe.rate,
          .limits = task.recipe.limits,
          .batch = task.recipe.batch,
          .seed = task.recipe.seed,
          .train = encoded(task, task.train).examples,
          .valid = encoded(task, task.valid).examples,
          .program = std::move(program),
          .folder = folder};
}

std::string unknown_tokens(const Task& task) {
  std::string text;
  for (const auto& [examples, file] :
       {std::pair{&task.train, &task.recipe.data.train}, {&task.valid, &task.recipe.data.valid}}) {
    const data::EncodedCorpus corpus = encoded(task, *examples);
    if (const int64_t n = corpus.unknown_source + corpus.unknown_target; n > 0)
      text += ir::concat("; ", n, " of ", corpus.source_tokens + corpus.target_tokens,
                         " tokens of ", *file, " are not in the vocabulary");
  }
  return text;
}

}  // namespace weft
