// models/translator/minimum_risk.cpp -- every text against every other.
#include "models/translator/minimum_risk.h"

#include <algorithm>
#include <map>

namespace weft {

std::vector<double> expected_scores(const std::vector<std::string>& texts,
                                    const metrics::Metric& metric) {
  std::map<std::string, double> counts, sums;
  for (const std::string& text : texts) ++counts[text];
  for (const auto& [text, n] : counts) {
    double& sum = sums[text];
    for (const auto& [reference, times] : counts) {
      const double others = text == reference ? times - 1 : times;
      if (others > 0)
        sum += others * metrics::sentence_score(metric, text, std::span(&reference, 1));
    }
  }
  std::vector<double> scores;
  const double others = std::max<double>(1, static_cast<double>(texts.size()) - 1);
  for (const std::string& text : texts) scores.push_back(sums[text] / others);
  return scores;
}

void sort_by_expected_score(search::Hypotheses& hypotheses, const std::vector<std::string>& texts,
                            const metrics::Metric& metric) {
  const std::vector<double> scores = expected_scores(texts, metric);
  for (size_t i = 0; i < hypotheses.size(); ++i) hypotheses[i].score = scores[i];
  std::stable_sort(hypotheses.begin(), hypotheses.end(), [&](const auto& a, const auto& b) {
    return metric.higher_is_better ? a.score > b.score : a.score < b.score;
  });
}

}  // namespace weft
