// models/metrics/significance.h -- how sure a score is, and whether one system is better.
//
// Both draw from a seeded counter-based generator: the same seed gives the same numbers on every
// machine. Segments are the unit: words of a segment are not independent of each other.
#pragma once
#include "models/metrics/metric.h"

#include <cstdint>

namespace weft::metrics {

// Bootstrap resampling (Koehn 2004): the scores of `samples` corpora of segments drawn with
// replacement. The interval spans the middle 95 % of them.
struct Interval {
  double mean, low, high;
};
Interval bootstrap(const Metric& metric, std::span<const Statistics> segments, int samples = 1000,
                   uint64_t seed = 12345);

// Two systems on the same segments. `p_value`: of the hypothesis that they are equally good, two
// sided, as the share of (trials + 1) at which chance gives as large a difference.
struct Comparison {
  double first, second;  // scores
  double p_value;
};

// Paired bootstrap (Koehn 2004): differences of resampled corpora around their mean.
Comparison paired_bootstrap(const Metric& metric, std::span<const Statistics> first,
                            std::span<const Statistics> second, int samples = 1000,
                            uint64_t seed = 12345);

// Approximate randomisation (Riezler and Maxwell 2005): segments of the two swapped by coin.
Comparison approximate_randomization(const Metric& metric, std::span<const Statistics> first,
                                     std::span<const Statistics> second, int samples = 10000,
                                     uint64_t seed = 12345);

}  // namespace weft::metrics
