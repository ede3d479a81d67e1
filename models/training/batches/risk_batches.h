// models/training/batches/risk_batches.h -- batches for minimum risk training (risk.h): translations that the
// model itself draws, as rows that are weighed.
#pragma once
#include "models/training/batches/batch_maker.h"
#include "models/training/batches/risk.h"

#include <functional>
#include <memory>
#include <vector>

namespace weft::training {

// Finished translations of each row of source: s32[B,S], source_lengths: s32[B], drawn at
// temperature 1; a function of parameters, sources and seed.
using Sampler = std::function<std::vector<std::vector<Candidate>>(
    ParameterStore& store, const ir::Array& source, const ir::Array& lengths, uint64_t seed)>;

// log P of the target of each row of a batch, its end included, without dropout.
using Scorer =
    std::function<std::vector<double>(ParameterStore& store, const ir::NamedArrays& batch)>;

// The sentences of `batches`, which must be of tokens, with their candidates as rows. What is shown
// as the loss is the risk. `scorer`: needed where references are candidates, GraphError without one.
class RiskBatches final : public BatchMaker {
 public:
  RiskBatches(std::shared_ptr<BatchMaker> batches, Sampler sampler, const RiskSettings& settings,
              const data::BatchOptions& options, Cost cost = token_bleu_cost, Scorer scorer = {});

  TrainingBatch next() override;
  Position position() const override { return batches_->position(); }
  void seek(Position position) override { batches_->seek(position); }
  int64_t batches_in_epoch() const override { return batches_->batches_in_epoch(); }
  void follow(ParameterStore& store) override;
  EvaluationBatches validation() const override { return batches_->validation(); }
  RunSettings settings() const override;

 private:
  std::shared_ptr<BatchMaker> batches_;
  Sampler sampler_;
  RiskSettings risk_;
  data::BatchOptions options_;
  Cost cost_;
  Scorer scorer_;
  ParameterStore* store_ = nullptr;
};

}  // namespace weft::training
