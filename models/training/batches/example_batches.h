// models/training/batches/example_batches.h -- batches of encoded examples.
#pragma once
#include "models/training/batches/batch_maker.h"

namespace weft::training {

// A batch as the inputs of a model's graphs.
ir::NamedArrays inputs_of(const data::Batch& batch);

// Every example once, by length (data::plan_in_order).
EvaluationBatches batches_of(const data::ExampleStore& examples, const data::BatchOptions& options);

class ExampleBatches final : public BatchMaker {
 public:
  // Throws GraphError where there is nothing to train on, or an example is longer than
  // options.widest. `valid` may be empty. `made_with`: other settings, by the keys of recipes.
  ExampleBatches(const data::ExampleStore& train, const data::ExampleStore& valid,
                 const data::BatchOptions& options, data::SubwordSampling sampling = {},
                 const RunSettings& made_with = {});

  TrainingBatch next() override;
  Position position() const override { return stream_.position(); }
  void seek(Position position) override { stream_.seek(position); }
  int64_t batches_in_epoch() const override { return stream_.batches_in_epoch(); }
  EvaluationBatches validation() const override { return validation_; }
  RunSettings settings() const override { return settings_; }

 private:
  RunSettings settings_;
  EvaluationBatches validation_;
  data::BatchStream stream_;
};

}  // namespace weft::training
