// models/translator/minimum_risk.h -- minimum Bayes risk: the hypothesis most like all others.
#pragma once
#include "models/metrics/metric.h"
#include "models/search/beam_search.h"

#include <string>
#include <vector>

namespace weft {

// The mean score of each text with the others as its reference (Eikema and Aziz 2020); a text that
// stands alone has 0. Of equal texts the score is computed once.
std::vector<double> expected_scores(const std::vector<std::string>& texts,
                                    const metrics::Metric& metric);

// Hypotheses, whose texts these are, by that score, the highest first; it becomes their `score`.
void sort_by_expected_score(search::Hypotheses& hypotheses, const std::vector<std::string>& texts,
                            const metrics::Metric& metric);

}  // namespace weft
