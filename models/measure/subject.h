// models/measure/subject.h -- the training step to show or measure: of a recipe or of a model, with
// the sizes of its largest batch.
#pragma once
#include "frontend/compile/optimizer.h"
#include "frontend/compile/session.h"
#include "models/measure/synthetic.h"

#include <string>

namespace weft::measure {

struct Subject {
  std::string title;            // "pronounce.toml"
  ir::Graph loss;               // as built
  OptimizerSettings optimizer;  // of a model's folder: Adam
  SyntheticBatch sizes;         // of a batch, or of its parts
  bool in_parts = false;        // batches come in parts: the step is the first of its two entries
  int64_t memory_budget = 0;    // bytes; 0: no limit
  ir::Precision precision = ir::Precision::f32;  // a recipe's

  ir::Bindings bindings() const;  // B, S, T
  // With the memory budget, if there is one, at these sizes.
  ProgramOptions options() const;
  Program step(const ProgramOptions& options) const;
  // A batch of these sizes with the learning rate: what a training step takes.
  ir::NamedArrays batch() const;
};

// Is it a recipe (.toml) or a model's folder, not a graph?
bool is_model(const std::string& what);

// A recipe's largest batch: `max_rows` rows (or as many as `max_tokens` lets through) as wide as
// its longest source and target. A model's folder knows no data: 64 rows of 25. `bind` gives other
// sizes, as in T = 40, `memory_budget` another budget than the recipe's (bytes; 0: the recipe's).
// Throws GraphError for symbols that are not B, S or T.
Subject read_subject(const std::string& what, const ir::Bindings& bind = {},
                     int64_t memory_budget = 0);

}  // namespace weft::measure
