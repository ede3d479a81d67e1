// models/cli/subject.cpp -- recipes and folders, and how large their batches get.
#include "models/cli/subject.h"

#include "frontend/compile/memory_budget.h"
#include "models/cli/bind_arguments.h"
#include "models/cli/command.h"
#include "models/cli/model.h"
#include "models/training/model_folder.h"

#include <algorithm>
#include <filesystem>

namespace weft::cli {
training::SyntheticBatch largest_batch(const Task& task) {
  const data::BatchOptions& batch = task.recipe.batch;
  training::SyntheticBatch sizes;
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
  sizes.rows = (sizes.rows + batch.accumulate - 1) / batch.accumulate;  // of a part
  return sizes;
}

ir::Bindings bindings_of(const training::SyntheticBatch& sizes) {
  return {{"B", sizes.rows}, {"S", sizes.source}, {"T", sizes.target}};
}

ir::Bindings Subject::bindings() const { return bindings_of(sizes); }

ProgramOptions Subject::options() const {
  ProgramOptions o = program_options();
  o.memory_budget = memory_budget;
  o.budget_sizes = bindings();
  return o;
}

formats::NamedArrays Subject::batch() const {
  formats::NamedArrays batch = training::synthetic_batch(sizes);
  batch.add("lr", ir::Array::of(ir::DType::f32, {}, std::vector<float>{1e-3F}));
  return batch;
}

bool is_model(const std::string& what) {
  return what.ends_with(".toml") || std::filesystem::is_directory(what);
}

Subject read_subject(const std::string& what, const std::vector<std::string>& bind,
                     const std::string& memory_budget) {
  Subject s;
  s.title = std::filesystem::path(what).filename().string();
  seq2seq::Config config;
  if (what.ends_with(".toml")) {
    const Task task = read_task(what);
    config = task.config;
    s.optimizer = task.recipe.optimizer;
    s.sizes = largest_batch(task);
    s.memory_budget = task.recipe.memory_budget;
  } else {
    config = training::ModelFolder(what).config();
  }
  s.loss = seq2seq::loss_graph(config);
  s.sizes.source_vocabulary = seq2seq::source_vocabulary(config);
  s.sizes.target_vocabulary = seq2seq::target_vocabulary(config);
  for (const auto& [symbol, size] : parse_bindings(bind)) {
    if (symbol != "B" && symbol != "S" && symbol != "T")
      throw UsageError("a model's sizes are B (rows), S (source) and T (target), found '" + symbol +
                       "'");
    if (size < 1) throw UsageError("--bind " + symbol + " needs a size of at least 1");
    (symbol == "B" ? s.sizes.rows : symbol == "S" ? s.sizes.source : s.sizes.target) = size;
  }
  if (!memory_budget.empty()) s.memory_budget = bytes_named(memory_budget);
  return s;
}

}  // namespace weft::cli
