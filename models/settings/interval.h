// models/settings/interval.h -- ranges that settings must lie in.
#pragma once
#include <cstdint>
#include <string>

namespace weft::settings {

// Whole numbers from `least` to `most`, both included.
struct Whole {
  int64_t least, most;

  bool contains(int64_t x) const { return x >= least && x <= most; }
  std::string str() const;  // "from 1 to 64"
};

// Numbers from `least` to `most`, without an end that is open. Floats must lie in it in single
// precision too, in which models compute: 0.99999999 is 1 there.
struct Interval {
  double least, most;
  bool open_below = false, open_above = false;

  bool contains(double x) const;
  std::string str() const;  // "from 0 to below 1"
};

constexpr Interval up_to(double most) { return {.least = 0, .most = most}; }
constexpr Interval above_zero(double most) {
  return {.least = 0, .most = most, .open_below = true};
}
// Of what is left where a share of this size is taken away: all of it is too much.
inline constexpr Interval kShare{.least = 0, .most = 1, .open_above = true};

}  // namespace weft::settings
