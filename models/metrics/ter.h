// models/metrics/ter.h -- translation edit rate (Snover et al. 2006).
//
//   TER = edits / words of the reference: insertions, deletions, substitutions, and shifts of a
//         phrase to another place, each counted once, chosen greedily as Tercom does
//
// The reference with the fewest edits counts; the length is the mean of all references. Text is
// lower-cased and split at white space, as sacreBLEU 2 does by default, with its limits: phrases of
// 10 words, 50 places, 1000 candidates, edit distance within 25 of the diagonal.
#pragma once
#include "models/metrics/metric.h"

namespace weft::metrics {

Metric ter();

}  // namespace weft::metrics
