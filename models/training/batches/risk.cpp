// models/training/batches/risk.cpp -- costs, and the share of each candidate.
#include "models/training/batches/risk.h"

#include "models/metrics/bleu.h"
#include "models/metrics/table.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace weft::training {
namespace {

// Words for a metric of text: the tokens' numbers.
std::string text_of(std::span<const int32_t> tokens) {
  std::string text;
  for (const int32_t token : tokens) text += (text.empty() ? "" : " ") + std::to_string(token);
  return text;
}

}  // namespace

void fields(RiskSettings& r, settings::Fields& f) {
  f.integer("risk_samples", r.samples, {0, 1000},
            "minimum risk training (Shen et al. 2016) with so many translations drawn of each "
            "sentence, 2 or more; for models that are trained already (--from); 0: none");
  f.real("risk_sharpness", r.sharpness, settings::above_zero(1e3),
         "how much more likelier translations count in the risk: alpha of the paper");
  std::vector<std::string_view> names;
  size_t chosen = 0;
  for (const metrics::MetricKind& kind : metrics::metric_kinds()) {
    if (kind.name == r.metric) chosen = names.size();
    names.push_back(kind.name);
  }
  f.word("risk_metric", chosen, names,
         "what a translation costs, sentence by sentence: 1 - bleu (cut as validate_tokenizer "
         "says), or the rate of errors");
  r.metric = names[chosen];
  f.flag("risk_reference", r.reference,
         "the reference is weighed with the translations drawn, as in the paper");
}

double token_bleu_cost(std::span<const int32_t> candidate, std::span<const int32_t> reference) {
  static const metrics::Metric bleu = metrics::bleu({.tokenize = "none", .effective_order = true});
  const std::string references[] = {text_of(reference)};
  return 1 - metrics::sentence_score(bleu, text_of(candidate), references) / 100;
}

WeighedCandidates weigh(std::vector<Candidate> all, std::span<const int32_t> reference,
                        double sharpness, const Cost& cost) {
  WeighedCandidates w;
  std::set<std::vector<int32_t>> seen;
  for (Candidate& c : all)
    if (seen.insert(c.tokens).second) w.candidates.push_back(std::move(c));
  double most = -INFINITY, total = 0;
  for (const Candidate& c : w.candidates) most = std::max(most, sharpness * c.log_probability);
  std::vector<double> q, costs;
  for (const Candidate& c : w.candidates) {
    q.push_back(std::exp(sharpness * c.log_probability - most));
    costs.push_back(cost(c.tokens, reference));
    total += q.back();
  }
  for (size_t i = 0; i < q.size(); ++i) w.risk += q[i] / total * costs[i];
  for (size_t i = 0; i < q.size(); ++i)
    w.weights.push_back(sharpness * q[i] / total * (w.risk - costs[i]));
  return w;
}

}  // namespace weft::training
