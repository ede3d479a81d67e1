// frontend/nn/linear.cpp -- affine maps of the last axis.
#include "frontend/nn/linear.h"

namespace weft {

Tensor linear(const Scope& p, const Tensor& x, const Dim& n, const LinearOptions& options,
              SourceLoc loc) {
  const auto in = p.enter(loc);
  const Dim k = x.dim(-1);
  if (!options.bias) return matmul(x, p.parameter({k, n}, options.weight));
  const Tensor y = matmul(x, p.parameter("W", {k, n}, options.weight));
  return y + p.parameter("b", {n}, init::zeros());
}

}  // namespace weft
