// models/training/batches/risk.h -- the expected cost of translations, and how each takes part in its gradient.
//
// Of each sentence the model's own translations are drawn, and the risk
//   R = sum_y Q(y) cost(y),   Q(y) = P(y)^sharpness / sum_y' P(y')^sharpness
// over the distinct ones is minimised (Shen et al. 2016, eq. 8 to 10), cost being 1 - BLEU of the
// sentence, or of another metric. The reference is one of them, drawn or not (algorithm 1, line 1). Its gradient is that of a loss that weighs candidates as rows,
//   dR = sum_y sharpness Q(y) (R - cost(y)) d(-log P(y)),
// so that any family's loss graph with row_weights will do. Q is of the model without dropout.
#pragma once
#include "models/settings/fields.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace weft::training {

struct RiskSettings {
  int64_t samples = 0;          // of each sentence; 0: words are learnt, not risks
  double sharpness = 0.005;     // of Q: alpha in the paper
  std::string metric = "bleu";  // what costs are made of: one of models/metrics/table.h
  bool reference = true;        // it is a candidate too

  bool on() const { return samples > 0; }
};
void fields(RiskSettings& r, settings::Fields& f);

struct Candidate {
  std::vector<int32_t> tokens;  // without </s>
  double log_probability = 0;   // with it
};

// Of a candidate, beside the reference: 0 for one that could not be better.
using Cost =
    std::function<double(std::span<const int32_t> candidate, std::span<const int32_t> reference)>;
// 1 - BLEU of the sentence, its tokens being the words.
double token_bleu_cost(std::span<const int32_t> candidate, std::span<const int32_t> reference);

// Candidates of one sentence with their weights.
struct WeighedCandidates {
  std::vector<Candidate> candidates;  // distinct
  std::vector<double> weights;        // of their -log P
  double risk = 0;
};
WeighedCandidates weigh(std::vector<Candidate> candidates, std::span<const int32_t> reference,
                        double sharpness, const Cost& cost = token_bleu_cost);

}  // namespace weft::training
