// models/training/batches/aligned_batches.h -- batches with the word alignments of their examples.
#pragma once
#include "models/data/alignments.h"
#include "models/training/batches/batch_maker.h"

#include <memory>

namespace weft::training {

// Adds the input alignment: f32[B,T,S] to what `batches` makes to train on, by the examples' row_ids.
class AlignedBatches final : public BatchMaker {
 public:
  AlignedBatches(std::shared_ptr<BatchMaker> batches, data::Alignments alignments)
      : batches_(std::move(batches)), alignments_(std::move(alignments)) {}

  TrainingBatch next() override;
  Position position() const override { return batches_->position(); }
  void seek(Position position) override { batches_->seek(position); }
  int64_t batches_in_epoch() const override { return batches_->batches_in_epoch(); }
  void follow(ParameterStore& store) override { batches_->follow(store); }
  EvaluationBatches validation() const override { return batches_->validation(); }
  RunSettings settings() const override;

 private:
  std::shared_ptr<BatchMaker> batches_;
  data::Alignments alignments_;
};

}  // namespace weft::training
