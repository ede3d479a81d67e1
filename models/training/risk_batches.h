// models/training/risk_batches.h -- minimum risk training (Shen et al. 2016).
//
// Of each sentence the model's own translations are drawn, and the risk
//   R = sum_y Q(y) cost(y),   Q(y) = P(y)^sharpness / sum_y' P(y')^sharpness      (eq. 8 to 10)
// over the distinct ones is minimised, cost being 1 - BLEU of the sentence. Its gradient is that of
// a loss that weighs candidates as rows,
//   dR = sum_y sharpness Q(y) (R - cost(y)) d(-log P(y)),
// so that any family's loss graph with row_weights will do. P is the model's without dropout.
#pragma once
#include "models/data/special_ids.h"
#include "models/settings/fields.h"
#include "models/training/batch_maker.h"

#include <functional>
#include <memory>
#include <span>

namespace weft::training {

struct RiskSettings {
  int64_t samples = 0;       // of each sentence; 0: words are learnt, not risks
  double sharpness = 0.005;  // of Q: alpha in the paper
};
void fields(RiskSettings& r, settings::Fields& f);

struct Candidate {
  std::vector<int32_t> tokens;  // without </s>
  double log_probability = 0;   // with it
};
// Finished translations of each row of source: s32[B,S], source_lengths: s32[B], drawn at
// temperature 1; a function of parameters, sources and seed.
using Sampler = std::function<std::vector<std::vector<Candidate>>(
    ParameterStore& store, const ir::Array& source, const ir::Array& lengths, uint64_t seed)>;

// Candidates with their weights, by sentence. Exposed for tests.
struct WeighedCandidates {
  std::vector<Candidate> candidates;  // distinct
  std::vector<double> weights;        // of their -log P
  double risk = 0;
};
WeighedCandidates weigh(std::vector<Candidate> candidates, std::span<const int32_t> reference,
                        double sharpness);

// The sentences of `batches`, which must be of tokens, with their candidates as rows. The loss shown
// is the risk.
class RiskBatches final : public BatchMaker {
 public:
  RiskBatches(std::shared_ptr<BatchMaker> batches, Sampler sampler, const RiskSettings& settings,
              const data::BatchOptions& options);

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
  ParameterStore* store_ = nullptr;
};

}  // namespace weft::training
