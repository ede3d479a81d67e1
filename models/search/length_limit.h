// models/search/length_limit.h -- how long a hypothesis may get, as a number or by its source.
//
//   "200"     at most 200 tokens
//   "3x"      three for each token of the source
//   "2x+10"   two for each, and ten more
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace weft::search {

struct LengthLimit {
  double per_token = 2;  // times the tokens of the source
  int64_t plus = 10;     // and as many more

  // </s> counted, at least 1.
  int64_t of(int64_t source) const;
  bool operator==(const LengthLimit&) const = default;
};

// GraphError where a factor lies outside [0, 1000], a number outside [0, 10^6], or both are 0.
void check(const LengthLimit& limit);
// The spellings above; GraphError for any other.
LengthLimit length_limit_named(std::string_view text);
std::string str(const LengthLimit& limit);

}  // namespace weft::search
