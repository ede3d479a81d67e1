// models/translator/task.cpp -- reading recipes' data, and checking it against the model.
#include "models/translator/task.h"

#include "backends/backend.h"
#include "ir/error.h"
#include "models/data/features.h"
#include "models/data/tsv.h"
#include "models/translator/decoded_scores.h"

#include <algorithm>

namespace weft {
namespace {

// Examples that the model has too few positions for are refused at their line.
void check_positions(const data::EncodedCorpus& corpus, const std::string& file,
                     const training::Recipe& recipe, int64_t most) {
  const auto check = [&](const data::EncodedExample& e, const char* side, int64_t n, int64_t end) {
    if (most > 0 && n + end > most)
      throw ir::GraphError(ir::concat(file, ":", e.id, ": error: the ", side, " has ", n, " tokens",
                                      end > 0 ? " and </s>" : "", ", model.max_positions is ", most,
                                      " (", recipe.where("model.max_positions"), ")"));
  };
  for (const data::EncodedExample& e : corpus.examples) {
    check(e, "source", e.source_length(), 0);
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

bool has_tokens(const Task& task) { return task.recipe.data.source == data::SourceKind::tokens; }

data::EncodedCorpus encoded(const Task& task, const data::Examples& examples,
                            const std::string& file, data::FeatureReader& reader) {
  if (has_tokens(task))
    return data::encode(examples, task.vocabularies.source, task.vocabularies.target);
  return data::encode(examples, file, reader, seq2seq::ends(task.config).source,
                      task.vocabularies.target);
}

// As the first example to train on has it, or of the vocabulary.
data::Source source_of(const Task& task, data::FeatureReader& reader) {
  const training::DataFiles& files = task.recipe.data;
  if (has_tokens(task)) return {.vocabulary = task.vocabularies.source.size()};
  const data::Example& first = task.train.front();
  try {
    return data::source_of(files.source, reader.read(first.source.front()), files.stack,
                           files.patch);
  } catch (const ir::GraphError& e) {
    throw ir::GraphError(ir::concat(files.train, ":", first.id, ": error: ", e.what()));
  }
}

}  // namespace

training::Vocabularies make_vocabularies(const Task& task) {
  const training::DataFiles& files = task.recipe.data;
  return {has_tokens(task) ? vocabulary_of(data::count_source_tokens(task.train), task.recipe,
                                           "source", files.source_min_count, files.source_max_size)
                           : data::Vocabulary(),
          vocabulary_of(data::count_target_tokens(task.train), task.recipe, "target",
                        files.target_min_count, files.target_max_size)};
}

Task read_task(const std::string& path, const training::Vocabularies* vocabularies) {
  Task task{.recipe = training::read_recipe(path)};
  const training::DataFiles& files = task.recipe.data;
  task.train = data::read_tsv(files.train, files.tsv);
  if (!files.valid.empty()) task.valid = data::read_tsv(files.valid, files.tsv);
  if (!has_tokens(task)) {
    task.train = data::located(std::move(task.train), files.train);
    task.valid = data::located(std::move(task.valid), files.valid);
  }
  const int64_t positions = seq2seq::most_positions(task.recipe.model);
  task.recipe.batch.widest = positions;
  task.vocabularies = vocabularies != nullptr ? *vocabularies : make_vocabularies(task);
  task.recipe.batch.source_ids = task.vocabularies.source.special();
  task.recipe.batch.target_ids = task.vocabularies.target.special();
  task.config = task.recipe.model;
  data::FeatureReader reader(files.source);
  seq2seq::set_ends(task.config, {.source = source_of(task, reader),
                                  .target_vocabulary = task.vocabularies.target.size(),
                                  .seed = task.recipe.seed});
  task.recipe.batch.seed = task.recipe.seed;
  try {
    seq2seq::check(task.config);
  } catch (const ir::GraphError& e) {
    throw ir::GraphError(
        ir::concat(task.recipe.where("model.shared_embedding"), ": error: ", e.what()));
  }
  task.encoded_train = encoded(task, task.train, files.train, reader);
  task.encoded_valid = encoded(task, task.valid, files.valid, reader);
  check_positions(task.encoded_train, files.train, task.recipe, positions);
  check_positions(task.encoded_valid, files.valid, task.recipe, positions);
  return task;
}

BatchSizes largest_batch(const Task& task) {
  const data::BatchOptions& batch = task.recipe.batch;
  BatchSizes sizes;
  int64_t source = 1, target = 1;
  for (const data::EncodedExample& e : task.encoded_train.examples) {
    source = std::max(source, e.source_length());
    target = std::max<int64_t>(target, std::ssize(e.target) + 1);  // its end
  }
  const bool image = task.recipe.data.source == data::SourceKind::image;
  sizes.source = image ? source : data::padded_width(source, batch.round_source, batch);
  sizes.target = data::padded_width(target, batch.round_target, batch);
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
  const training::Recipe& recipe = task.recipe;
  training::TrainerSetup setup = training::Seq2seqRun{.config = task.config,
                                                      .optimizer = recipe.optimizer,
                                                      .rate = recipe.rate,
                                                      .limits = recipe.limits,
                                                      .validation = recipe.validation,
                                                      .batch = recipe.batch,
                                                      .seed = recipe.seed,
                                                      .train = task.encoded_train.examples,
                                                      .valid = task.encoded_valid.examples,
                                                      .program = program,
                                                      .folder = folder};
  setup.decoded = decoded_scores(task, program);
  return setup;
}

std::string unknown_tokens(const Task& task) {
  std::string text;
  const training::DataFiles& files = task.recipe.data;
  for (const auto& [examples, file] :
       {std::pair{&task.encoded_train, &files.train}, {&task.encoded_valid, &files.valid}}) {
    const data::EncodedCorpus& corpus = *examples;
    if (const int64_t n = corpus.unknown_source + corpus.unknown_target; n > 0)
      text += ir::concat("; ", n, " of ", corpus.source_tokens + corpus.target_tokens,
                         " tokens of ", *file, " are not in the vocabulary");
  }
  return text;
}

}  // namespace weft
