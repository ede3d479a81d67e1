// models/cli/subject.h -- what is looked at: the training step of a recipe or of a model, with the
// sizes of its largest batch.
#pragma once
#include "frontend/compile/optimizer.h"
#include "frontend/compile/session.h"
#include "models/cli/model.h"
#include "models/training/synthetic.h"

#include <string>
#include <vector>

namespace weft::cli {

struct Subject {
  std::string title;            // "pronounce.toml"
  ir::Graph loss;               // as built
  OptimizerSettings optimizer;  // of a model's folder: Adam
  training::SyntheticBatch sizes;
  int64_t memory_budget = 0;  // bytes; 0: no limit

  ir::Bindings bindings() const;  // B, S, T
  // With the memory budget, if there is one, at these sizes.
  ProgramOptions options() const;
  // A batch of these sizes with the learning rate: what a training step takes.
  formats::NamedArrays batch() const;
};

// Is it a recipe (.toml) or a model's folder, not a graph?
bool is_model(const std::string& what);

// A recipe's largest batch: `max_rows` rows (or as many as `max_tokens` lets through) as wide as
// its longest source and target. A model's folder knows no data: 64 rows of 25. `bind` gives other
// sizes, as in T=40, `memory_budget` ("200MB") another budget than the recipe's; throws UsageError
// for symbols that are not B, S or T.
Subject read_subject(const std::string& what, const std::vector<std::string>& bind = {},
                     const std::string& memory_budget = {});

// How large the batches of a recipe get: at most this in each of the three.
training::SyntheticBatch largest_batch(const Task& task);
ir::Bindings bindings_of(const training::SyntheticBatch& sizes);  // B, S, T

}  // namespace weft::cli
