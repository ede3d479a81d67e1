// models/search/ranking.h -- what finished hypotheses are ranked by (search_options.h).
#pragma once
#include "models/search/search_options.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weft::search {

// sum: S; tokens: n > 0
double normalised(const SearchOptions& options, double sum, int64_t tokens);

// The best score that an open hypothesis of `tokens` can end with at up to `limit` tokens, if its sum
// falls no further.
double attainable(const SearchOptions& options, double sum, int64_t tokens, int64_t limit);

// sum over source positions of log(min(1, covered)); covered: the sums of the steps' weights. A
// position nothing has looked at counts as the smallest float.
double coverage(std::span<const double> covered);

}  // namespace weft::search
