// models/metrics/by_length.h -- a score by the length of the sources, as in figure 2 of Bahdanau et
// al. (2015): does a system cope with long inputs?
#pragma once
#include "models/metrics/metric.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weft::metrics {

// Segments whose sources have `least` to `most` tokens.
struct LengthGroup {
  int64_t least, most;
  int64_t segments;
  double score;
};

// `lengths`: of the sources, by segment. Groups are equally wide, 1, 2, 5, 10, 20, 50, ... lengths
// each: the narrowest of these that makes at most `most_groups`. Groups without a segment are left
// out. Throws GraphError unless there are as many lengths as segments.
std::vector<LengthGroup> by_length(const Metric& metric, std::span<const Statistics> segments,
                                   std::span<const int64_t> lengths, int64_t most_groups = 10);

}  // namespace weft::metrics
