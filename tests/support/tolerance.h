// tests/support/tolerance.h -- how near is near enough, by dtype and kind, with the reason for
// each.
#pragma once
#include "ir/dtype.h"

namespace weft::tests {

enum class Compared { value, gradient, finite_difference, oracle };

// Relative to the greatest magnitude in what is compared.
constexpr double tolerance(ir::DType dtype, Compared what) {
  const bool f64 = dtype == ir::DType::f64;
  switch (what) {
    // Two ways of computing the same thing: rounding times the length of the sums.
    case Compared::value:
      return f64 ? 1e-12 : 1e-5;
    case Compared::gradient:
      return f64 ? 1e-12 : 5e-5;
    // Central differences at a step of 1e-5: h^2 f''' / 6 and eps |f| / h are both near 1e-10; the
    // rest is for steep functions.
    case Compared::finite_difference:
      return 1e-6;
    // Values that others computed in double, in another order.
    case Compared::oracle:
      return f64 ? 1e-10 : 1e-5;
  }
  return 0;
}

constexpr double kFiniteStep = 1e-5;

}  // namespace weft::tests
