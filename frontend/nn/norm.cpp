// frontend/nn/norm.cpp -- norms in plain ops.
#include "frontend/nn/norm.h"

namespace weft {
namespace {

// x / sqrt(mean(x^2) + eps)
Tensor by_root_mean_square(const Tensor& x, double eps, const SourceLoc& loc) {
  const Tensor square = Operand(x, loc) * Operand(x, loc);
  const Tensor variance = mean(square, -1, true, loc);
  return Operand(x, loc) * Operand(rsqrt(Operand(variance, loc) + Operand(eps, loc), loc), loc);
}

void check(const Tensor& x, std::string_view what, const SourceLoc& loc) {
  if (!x.valid()) fail(loc, "'", what, "' is given a tensor that was never made");
  if (x.rank() < 1) fail(loc, "'", what, "' needs x of [...,D], found ", x.type());
}

}  // namespace

Tensor layer_norm(const Scope& p, const Tensor& x, double eps, SourceLoc loc) {
  check(x, "layer_norm", loc);
  const auto in = p.enter();
  const Dim d = x.dim(-1, loc);
  const Tensor centred = Operand(x, loc) - Operand(mean(x, -1, true, loc), loc);
  const Tensor scaled = Operand(by_root_mean_square(centred, eps, loc), loc) *
                        Operand(p.parameter("scale", {d}, init::ones(), loc), loc);
  return Operand(scaled, loc) + Operand(p.parameter("shift", {d}, init::zeros(), loc), loc);
}

Tensor rms_norm(const Scope& p, const Tensor& x, double eps, SourceLoc loc) {
  check(x, "rms_norm", loc);
  const auto in = p.enter();
  return Operand(by_root_mean_square(x, eps, loc), loc) *
         Operand(p.parameter("scale", {x.dim(-1, loc)}, init::ones(), loc), loc);
}

}  // namespace weft
