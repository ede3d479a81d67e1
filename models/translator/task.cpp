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

// A line with too many tokens is refused.
void check_lengths(const data::EncodedCorpus& corpus, const std::string& file,
                   const training::Recipe& recipe) {
  const int64_t most = recipe.data.max_tokens;
  const auto check = [&](const data::EncodedExample& e, const char* side, int64_t n) {
    if (n > most)
      throw ir::GraphError(ir::concat(file, ":", e.id, ": error: the ", side, " has ", n,
                                      " tokens, at most ", most,
                                      " are accepted (data.max_tokens)"));
  };
  for (const data::EncodedExample& e : corpus.examples) {
    check(e, "source", std::ssize(e.source));
    check(e, "target", std::ssize(e.target));
  }
}

// The texts of one side of the examples after the other; of both, line by line, where both are wanted.
data::Tokenizer::Sentences sentences(const data::Examples& examples, bool source, bool target) {
  return [&examples, source, target, i = size_t{0},
          second = false]() mutable -> std::optional<std::string> {
    if (i == examples.size()) return std::nullopt;
    const data::Example& e = examples[i];
    const std::string& text = second || !source ? e.target : e.source;
    second = source && target && !second;
    if (!second) ++i;
    return text;
  };
}

// `key`: the one that has the size.
data::Tokenizer tokenizer_of(const data::TokenizerSettings& settings,
                             const training::Recipe& recipe, const std::string& side,
                             const data::Tokenizer::Sentences& next) {
  try {
    return data::Tokenizer::train(settings, side.empty() ? "vocabulary" : side + " vocabulary",
                                  next);
  } catch (const ir::GraphError& e) {
    const std::string own = data::has_subwords(settings.kind) ? "_max_size" : "_min_count";
    const std::string key = recipe.places.contains("data." + side + own)     ? side + own
                            : recipe.places.contains("data.vocabulary_size") ? "vocabulary_size"
                                                                             : "tokens";
    throw ir::GraphError(ir::concat(recipe.where("data." + key), ": error: ", e.what()));
  }
}

bool has_tokens(const Task& task) { return task.recipe.data.source == data::SourceKind::tokens; }

data::EncodedCorpus encoded(const Task& task, const data::Examples& examples,
                            const std::string& file, data::FeatureReader& reader) {
  if (has_tokens(task))
    return data::encode(examples, task.tokenizers.source, task.tokenizers.target);
  return data::encode(examples, file, reader, seq2seq::ends(task.config).source,
                      task.tokenizers.target);
}

// As the first example to train on has it, or of the vocabulary.
data::Source source_of(const Task& task, data::FeatureReader& reader) {
  const training::DataFiles& files = task.recipe.data;
  if (has_tokens(task)) return {.vocabulary = task.tokenizers.source.size()};
  const data::Example& first = task.train.front();
  try {
    return reader.source(first.source, files.stack, files.patch);
  } catch (const ir::GraphError& e) {
    throw ir::GraphError(ir::concat(files.train, ":", first.id, ": error: ", e.what()));
  }
}

}  // namespace

training::Tokenizers make_tokenizers(const Task& task) {
  const training::SideTokens& sides = task.recipe.tokens;
  if (task.recipe.data.shared_vocabulary) {
    const data::Tokenizer both =
        tokenizer_of(sides.source, task.recipe, "", sentences(task.train, true, true));
    return {both, both};
  }
  training::Tokenizers t;
  if (has_tokens(task))
    t.source =
        tokenizer_of(sides.source, task.recipe, "source", sentences(task.train, true, false));
  t.target = tokenizer_of(sides.target, task.recipe, "target", sentences(task.train, false, true));
  return t;
}

Task read_task(const std::string& path, const training::Tokenizers* tokenizers) {
  Task task{.recipe = training::read_recipe(path)};
  const training::DataFiles& files = task.recipe.data;
  task.train = data::read_tsv(files.train);
  if (!files.valid.empty()) task.valid = data::read_tsv(files.valid);
  if (!has_tokens(task)) {
    task.train = data::located(std::move(task.train), files.train);
    task.valid = data::located(std::move(task.valid), files.valid);
  }
  const int64_t positions = seq2seq::most_positions(task.recipe.model);
  task.recipe.batch.widest = positions;
  task.tokenizers = tokenizers != nullptr ? *tokenizers : make_tokenizers(task);
  task.recipe.batch.source_ids = task.tokenizers.source.special();
  task.recipe.batch.target_ids = task.tokenizers.target.special();
  task.config = task.recipe.model;
  data::FeatureReader reader(files.source, files.features);
  seq2seq::set_ends(task.config, {.source = source_of(task, reader),
                                  .target_vocabulary = task.tokenizers.target.size(),
                                  .seed = task.recipe.seed});
  task.recipe.batch.seed = task.recipe.seed;
  try {
    seq2seq::check(task.config);
  } catch (const ir::GraphError& e) {
    const bool needs_one = task.recipe.places.contains("model.shared_embedding") &&
                           !task.recipe.data.shared_vocabulary;
    throw ir::GraphError(ir::concat(task.recipe.where("model.shared_embedding"),
                                    ": error: ", e.what(),
                                    needs_one ? "; data.shared_vocabulary = true makes one" : ""));
  }
  task.encoded_train = encoded(task, task.train, files.train, reader);
  task.encoded_valid = encoded(task, task.valid, files.valid, reader);
  for (const auto& [corpus, file] :
       {std::pair{&task.encoded_train, &files.train}, {&task.encoded_valid, &files.valid}})
    check_lengths(*corpus, *file, task.recipe),
        check_positions(*corpus, *file, task.recipe, positions);
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

data::SubwordSampling sampling_of(const Task& task) {
  return {.source = task.tokenizers.source,
          .target = task.tokenizers.target,
          .alpha = task.recipe.data.subword_alpha,
          .best = task.recipe.data.subword_nbest};
}

training::TrainerSetup trainer_setup(const Task& task, const training::ModelFolder& folder,
                                     ProgramOptions program) {
  if (program.backend == nullptr) program.backend = backends::make_onednn();
  if (program.memory_budget == 0) program.memory_budget = task.recipe.memory_budget;
  program.budget_sizes = largest_batch(task).bindings();
  const training::Recipe& recipe = task.recipe;
  training::TrainerSetup setup =
      training::Seq2seqRun{.config = task.config,
                           .optimizer = recipe.optimizer,
                           .rate = recipe.rate,
                           .limits = recipe.limits,
                           .validation = recipe.validation,
                           .batch = recipe.batch,
                           .seed = recipe.seed,
                           .train = task.encoded_train.examples,
                           .valid = task.encoded_valid.examples,
                           .sampling = sampling_of(task),
                           .data = settings_of(recipe.data, recipe.tokens),
                           .program = program,
                           .folder = folder};
  setup.decoded = decoded_scores(task, program);
  return setup;
}

std::string unknown_tokens(const Task& task) {
  std::string text;
  const training::DataFiles& files = task.recipe.data;
  const auto add = [&](const data::Examples& examples, const data::EncodedCorpus& corpus,
                       const std::string& file) {
    const int64_t n = corpus.unknown_source + corpus.unknown_target;
    if (n == 0) return;
    text += ir::concat("; ", n, " of ", corpus.source_tokens + corpus.target_tokens, " tokens of ",
                       file, " are not in the vocabulary");
    for (const data::Example& e : examples) {
      std::vector<std::string> unknown = task.tokenizers.target.unknown(e.target);
      if (has_tokens(task))
        if (auto more = task.tokenizers.source.unknown(e.source); !more.empty())
          unknown = std::move(more);
      if (unknown.empty()) continue;
      text += ir::concat(", the first is '", unknown.front(), "' on line ", e.id);
      break;
    }
  };
  add(task.train, task.encoded_train, files.train);
  add(task.valid, task.encoded_valid, files.valid);
  return text;
}

}  // namespace weft
