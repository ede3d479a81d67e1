// models/training/batches/batch_maker.h -- what a trainer asks of its data, of whatever kind that is.
//
//   struct Pairs final : BatchMaker {
//     TrainingBatch next() override { ... return {.parts = {{{"x", x}, {"y", y}}}}; }
//     ...
//   };
#pragma once
#include "frontend/store/parameter_store.h"
#include "ir/host/named_arrays.h"
#include "models/data/batching.h"
#include "models/training/recipe/run_settings.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace weft::training {

// The batch of a step: the inputs of the loss graph by name, for each of its parts. What the graph
// does not take is left alone; the input `step`: s64[], where it takes one, is the trainer's.
struct TrainingBatch {
  std::vector<ir::NamedArrays> parts;  // one where batches do not come in parts
  int64_t examples = 0;
  int64_t tokens = 0;  // of sources and targets, without padding
  // Where the graph's loss only has the gradients that are wanted: what is shown in its place.
  std::optional<double> loss = std::nullopt;
  std::string_view loss_name = "loss";  // what that is called: "risk"
};

// Batches that something is measured on: `make(i)`, i from 0 to below `count`, always the same.
struct EvaluationBatches {
  int64_t count = 0;
  std::function<ir::NamedArrays(int64_t)> make;
};

// All batches of all epochs, one after the other. What comes at a position is a function of the
// position: a run that goes on seeks the one it has stopped at.
class BatchMaker {
 public:
  using Position = data::BatchStream::Position;

  virtual ~BatchMaker() = default;
  virtual TrainingBatch next() = 0;
  virtual Position position() const = 0;  // of the batch that `next` makes
  // Throws GraphError when the position lies outside the epoch.
  virtual void seek(Position position) = 0;
  // Of the epoch that `next` is in; 0: not known.
  virtual int64_t batches_in_epoch() const { return 0; }
  // Called once, before the first `next`: where the parameters are that the run trains, for batches
  // that depend on them.
  virtual void follow(ParameterStore& /*store*/) {}
  // What a run validates on; none by default.
  virtual EvaluationBatches validation() const { return {}; }
  // What the batches depend on, by the recipe's keys: "data.train" and "data.valid" are digests.
  virtual RunSettings settings() const { return {}; }
};

}  // namespace weft::training
