// models/search/ranking.cpp -- the formulas of length norms and coverage.
#include "models/search/ranking.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace weft::search {

double normalised(const SearchOptions& o, double sum, int64_t tokens) {
  const auto n = static_cast<double>(tokens);
  switch (o.length_norm) {
    case LengthNorm::none:
      return sum;
    case LengthNorm::average:
      return sum / n;
    case LengthNorm::lenpen:
      return sum / std::pow(n, o.length_penalty);
    case LengthNorm::gnmt:
      return sum / std::pow((5 + n) / 6, o.length_penalty);
    case LengthNorm::marian:
      return (sum - o.word_penalty * n) / std::pow(n, o.length_penalty);
  }
  return sum;
}

double attainable(const SearchOptions& o, double sum, int64_t tokens, int64_t limit) {
  double best = normalised(o, sum, std::max(tokens, limit));
  if (o.word_penalty != 0)  // not monotone in n
    for (int64_t n = tokens + 1; n < limit; ++n) best = std::max(best, normalised(o, sum, n));
  return best;
}

double coverage(std::span<const double> covered) {
  double sum = 0;
  for (const double c : covered)
    sum += std::log(std::clamp<double>(c, std::numeric_limits<float>::min(), 1));
  return sum;
}

}  // namespace weft::search
