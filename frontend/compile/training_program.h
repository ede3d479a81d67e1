// frontend/compile/training_program.h -- a training step in two entries.
//
//   accumulate(parameters, batch, sums) -> sums, tokens, metrics
//   apply(parameters, state, sums, tokens) -> parameters, state
//
// They are fused into one step where a batch comes whole. What a batch in parts computes is what the
// whole one does but for rounding: gradients are summed in the order of the parts, weighed by their
// tokens, and clipped as one.
#pragma once
#include "frontend/compile/session.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace weft {

struct TrainingOptions {
  OptimizerSettings optimizer;
  bool in_parts = false;          // batches come in parts
  bool conditional = false;       // updates can be declined: two entries, batches whole or not
  std::string loss = "loss";      // the output that is a mean over `weight` terms,
  std::string weight = "tokens";  // an output too; needed for batches in parts only
};

class TrainingProgram {
 public:
  struct Result {
    double loss = 0, weight = 0;  // of the whole batch; no weight where it is not asked for
    double gradient_norm = 0;     // before clipping
    bool applied = true;          // false: the update was declined
  };
  using Accept = std::function<bool(const Result&)>;

  // `built`: a graph with the loss, before differentiation.
  TrainingProgram(const ir::Graph& built, const TrainingOptions& training,
                  const ProgramOptions& options);

  // Makes the parameters and states of a step that are not in the store yet.
  void prepare(ParameterStore& store) const;

  // One update by a batch: the inputs of the graph for each of its parts, one part where batches do
  // not come in parts. `accept`, where updates can be declined, hears of loss and norm beforehand.
  Result update(ParameterStore& store, std::span<const ir::NamedArrays> parts, double rate,
                const Accept& accept = {});

  // The two entries; for batches in parts. Sums of gradients stay in the store until applied.
  // `first`: of an update, whatever the sums hold is forgotten. Returns the graph's results.
  ir::NamedArrays accumulate(ParameterStore& store, const ir::NamedArrays& part, bool first);
  // `weight`: of all parts. Returns gradient_norm.
  ir::NamedArrays apply(ParameterStore& store, double weight, double rate);

  bool in_parts() const { return apply_ != nullptr; }
  // The program that batches go through, whole or part by part.
  const Program& step() const { return step_; }

 private:
  ir::Array scalar(double x) const;

  TrainingOptions training_;
  Program step_;
  std::unique_ptr<Program> apply_;  // null: `step_` is the fused step
  std::unique_ptr<Program> norm_;   // of the sums; where updates can be declined
};

}  // namespace weft
