// models/measure/subject.cpp -- recipes and folders, and how large their batches get.
#include "models/measure/subject.h"

#include "backends/backend.h"
#include "ir/error.h"
#include "models/data/batch_names.h"
#include "models/translator/opened_model.h"
#include "models/translator/task.h"
#include "models/translator/training_setup.h"

#include <filesystem>

namespace weft::measure {

ir::Bindings Subject::bindings() const {
  return {{"B", sizes.rows}, {"S", sizes.source}, {"T", sizes.target}};
}

ProgramOptions Subject::options() const {
  return {.backend = backends::make_onednn(),
          .precision = precision,
          .memory_budget = memory_budget,
          .budget_sizes = bindings()};
}

Program Subject::step(const ProgramOptions& options) const {
  return in_parts ? Program::accumulate(loss, options, "loss", "tokens")
                  : Program::training(loss, optimizer, options);
}

ir::NamedArrays Subject::batch() const {
  ir::NamedArrays batch = synthetic_batch(sizes);
  batch.add("lr", ir::Array::of(ir::DType::f32, {}, std::vector<float>{1e-3F}));
  if (in_parts) batch.add("first", ir::Array::of(ir::DType::pred, {}, std::vector<int64_t>{1}));
  return batch;
}

bool is_model(const std::string& what) {
  return what.ends_with(".toml") || std::filesystem::is_directory(what);
}

Subject read_subject(const std::string& what, const ir::Bindings& bind, int64_t memory_budget) {
  Subject s;
  s.title = std::filesystem::path(what).filename().string();
  seq2seq::Settings config;
  if (what.ends_with(".toml")) {
    const Task task = read_task(what, {.counted = true});
    const BatchSizes sizes = largest_batch(task);
    config = task.config;
    s.optimizer = task.recipe.optimizer;
    s.sizes.rows = sizes.rows, s.sizes.source = sizes.source, s.sizes.target = sizes.target;
    s.memory_budget = task.recipe.memory_budget;
    s.precision = task.recipe.precision;
    s.in_parts = task.recipe.batch.accumulate > 1;
    s.loss = training_graph(task);
  } else {
    config = settings_of_folder(what);
    s.loss = seq2seq::loss_graph(config);
  }
  s.sizes.kind = seq2seq::ends(config).source;
  if (s.sizes.kind.kind == data::SourceKind::image) s.sizes.source = s.sizes.kind.patches();
  s.sizes.target_vocabulary = seq2seq::target_vocabulary(config);
  s.sizes.aligned = s.loss.find_argument(data::kAlignment) >= 0;
  for (const auto& [symbol, size] : bind) {
    if (symbol != "B" && symbol != "S" && symbol != "T")
      throw ir::GraphError("a model's sizes are B (rows), S (source) and T (target), found '" +
                           symbol + "'");
    if (size < 1) throw ir::GraphError(ir::concat("the size ", symbol, " must be at least 1"));
    (symbol == "B" ? s.sizes.rows : symbol == "S" ? s.sizes.source : s.sizes.target) = size;
  }
  if (memory_budget > 0) s.memory_budget = memory_budget;
  return s;
}

}  // namespace weft::measure
