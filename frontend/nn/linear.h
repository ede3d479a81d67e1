// frontend/nn/linear.h -- affine maps of the last axis.
//
// Throws GraphError, at the line of the call, where shapes or settings do not go together.
#pragma once
#include "frontend/language/scope.h"

namespace weft {

struct LinearOptions {
  bool bias = true;
  Initializer weight = init::glorot_uniform();
};
inline const LinearOptions no_bias{.bias = false};

// y = x W + b      x: T[...,K], W: T[K,N] at p/"W", b: T[N] at p/"b" -> T[...,N]
// Without bias W is at p itself: linear(p / "Wa", x, n, no_bias) is x times the parameter p/"Wa".
Tensor linear(const Scope& p, const Tensor& x, const Dim& n, const LinearOptions& options = {},
              SourceLoc loc = SourceLoc::here());

}  // namespace weft
