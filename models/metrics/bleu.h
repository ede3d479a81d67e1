// models/metrics/bleu.h -- BLEU (Papineni et al. 2002).
//
//   BLEU = BP exp(1/4 sum_{n=1..4} log p_n),   BP = exp(1 - r/c) where c < r, else 1
//   p_n  = matches_n / total_n: n-grams of the hypothesis that a reference has, each counted at most
//          as often as the reference that has it most often; summed over the corpus
//   c    = words of the hypotheses, r = words of the references closest in length (ties: shorter)
//
// Equal to sacreBLEU 2 to the digits it prints.
#pragma once
#include "models/metrics/metric.h"

namespace weft::metrics {

// What becomes of an order without a match (Chen and Cherry 2014): exp halves 100 / total for the
// first, again for the next; floor counts `smooth_value` matches; add_k adds it to matches and
// totals of orders 2 to 4; none: the score is 0.
enum class Smoothing { none, floor, add_k, exp };

struct BleuSettings {
  std::string tokenize = "13a";  // tokenizers.h
  bool lower_case = false;
  Smoothing smoothing = Smoothing::exp;
  double smooth_value = -1;      // negative: 0.1 of floor, 1 of add_k
  bool effective_order = false;  // only orders that the hypothesis is long enough for: sentences
};

Metric bleu(const BleuSettings& settings = {});

// What the score is made of.
struct BleuParts {
  double score, brevity_penalty;
  std::vector<double> precisions;  // of orders 1 to 4, per cent
  double hypothesis_words, reference_words;
};
BleuParts bleu_parts(const BleuSettings& settings, std::span<const double> sums);

}  // namespace weft::metrics
