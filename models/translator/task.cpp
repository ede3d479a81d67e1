// models/translator/task.cpp -- reading a recipe, and checking its data against the model.
#include "models/translator/task.h"

#include "ir/error.h"
#include "models/data/features/features.h"
#include "models/translator/task_examples.h"
#include "models/translator/task_tokenizers.h"

#include <algorithm>
#include <utility>

namespace weft {
namespace {

// Of files that are drawn more or less often than others.
void add_weights(Task& task) {
  const auto& files = task.recipe.train;
  if (std::all_of(files.begin(), files.end(), [](const auto& f) { return f.weight == 1; })) return;
  const std::vector<int64_t>& last = task.train.text->last_ids();
  for (size_t i = 0; i < files.size(); ++i)
    task.recipe.batch.weights.push_back({last[i], files[i].weight});
}

// What adapting a model does not go with.
void check_adapter(const training::Recipe& r) {
  if (!r.adapter.on()) return;
  const auto fail = [&](const std::string& key, const std::string& what) {
    throw ir::GraphError(ir::concat(r.where(key), ": error: ", what));
  };
  if (r.from.empty())
    fail("adapter.rank", "'adapter.rank' needs a model to adapt: training.from, or --from");
  if (!r.freeze.empty())
    fail("training.freeze",
         "'training.freeze' does not go with 'adapter.rank': all but the adapter "
         "is frozen already");
  if (r.risk.on())
    fail("training.risk_samples", "'training.risk_samples' does not go with 'adapter.rank'");
}

// Those of the command line go before the recipe's.
void set_languages(training::Recipe& r, const Languages& asked) {
  if (asked.source.empty() && asked.target.empty()) return;
  if (!r.published)
    throw ir::GraphError(ir::concat(r.path,
                                    ": error: --source-language and --target-language go "
                                    "with a published model for many languages"));
  if (!asked.source.empty()) r.data.source_language = asked.source;
  if (!asked.target.empty()) r.data.target_language = asked.target;
}

}  // namespace

Task read_task(const std::string& path, const TaskOptions& options) {
  Task task{.recipe = training::read_recipe(path, seq2seq::families(), options.from)};
  if (options.adapter != nullptr) task.recipe.adapter = *options.adapter;
  check_adapter(task.recipe);
  set_languages(task.recipe, options.languages);
  if (options.begin) options.begin(task.recipe);
  task.train.text.emplace(task.recipe.train);
  if (!task.recipe.valid.empty()) task.valid.text.emplace(task.recipe.valid);
  const int64_t positions = seq2seq::most_positions(task.recipe.model);
  task.recipe.batch.widest = positions;
  task.tokenizers = options.tokenizers != nullptr ? *options.tokenizers : make_tokenizers(task);
  task.recipe.batch.source_ids = task.tokenizers.source.special();
  task.recipe.batch.target_ids = task.tokenizers.target.special();
  task.config = task.recipe.model;
  add_tokenizers_by_file(task);
  data::FeatureReader reader(task.recipe.data.source, task.recipe.data.features);
  seq2seq::set_ends(task.config, {.source = source_of(task, reader),
                                  .target_vocabulary = task.tokenizers.target.size(),
                                  .seed = task.recipe.seed});
  task.recipe.batch.seed = task.recipe.seed;
  try {
    seq2seq::check(task.config);
  } catch (const ir::GraphError& e) {
    const bool copies = task.recipe.places.contains("model.copy");
    const char* const key = copies ? "model.copy" : "model.shared_embedding";
    const bool needs_one = task.recipe.places.contains(key) && !task.recipe.data.shared_vocabulary;
    throw ir::GraphError(ir::concat(task.recipe.where(key), ": error: ", e.what(),
                                    needs_one ? "; data.shared_vocabulary = true makes one" : ""));
  }
  for (const auto& [file, name] : {std::pair{&task.train, "train"}, {&task.valid, "valid"}}) {
    if (!file->text) continue;
    encode(task, *file, name, reader, options);
  }
  add_weights(task);
  return task;
}

std::string unknown_tokens(const Task& task) {
  std::string text;
  for (const TaskFile* file : {&task.train, &task.valid}) {
    const data::ExampleCounts& counts = file->encoded.counts();
    const int64_t n = counts.unknown_source + counts.unknown_target;
    if (n == 0) continue;
    text += ir::concat("; ", n, " of ", counts.source_tokens + counts.target_tokens, " tokens of ",
                       file->text->name(), " are not in the vocabulary");
    const data::NextExample next = file->text->examples();
    auto e = next();
    while (e && e->id != counts.first_unknown) e = next();
    if (!e) continue;
    std::vector<std::string> unknown;
    if (has_tokens(task)) unknown = task.tokenizers.source.unknown(e->source);
    if (unknown.empty()) unknown = task.tokenizers.target.unknown(e->target);
    if (!unknown.empty())
      text += ir::concat(", the first is '", unknown.front(), "' on ",
                         file->text->files().size() > 1 ? file->text->source_place(e->id)
                                                        : ir::concat("line ", e->id));
  }
  return text;
}

}  // namespace weft
