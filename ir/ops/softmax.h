// ir/ops/softmax.h -- normalised exponential along one axis.
//
//   y = softmax(x) {axis}      x: T[d0,...,dn]  ->  y: T[d0,...,dn]
//
// y[i] = exp(x[i] - max(x)) / sum_j exp(x[j] - max(x)), i and j ranging over `axis`. The maximum is
// subtracted so that large scores do not overflow. A lane that is -inf throughout (nothing to
// attend to) gives zeros with zero gradient, and -inf for log_softmax (whose gradient is zero there
// too).
//
//   dx = softmax_grad(dy, y) {axis}      dx = y * (dy - sum(dy * y, axis))
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_softmax(const OpView& op);
Types infer_softmax_grad(const OpView& op);
Graph expand_softmax_grad(const OpView& op);

inline constexpr OpDef softmax{
    .name = "softmax",
    .operands = {"x"},
    .attrs = {{"axis", AttrKind::axis, int64_t{-1}}},
    .infer = infer_softmax,
    .doc = "Normalised exponential along `axis`; a lane of -inf gives zeros."};

inline constexpr OpDef softmax_grad{.name = "softmax_grad",
                                    .operands = {"dy", "y"},
                                    .attrs = {{"axis", AttrKind::axis, int64_t{-1}}},
                                    .infer = infer_softmax_grad,
                                    .zero_preserving = true,
                                    .expand = expand_softmax_grad,
                                    .doc = "Adjoint of softmax's operand, from its result y."};

inline constexpr OpDef log_softmax{.name = "log_softmax",
                                   .operands = {"x"},
                                   .attrs = {{"axis", AttrKind::axis, int64_t{-1}}},
                                   .infer = infer_softmax,
                                   .doc = "log(softmax(x)); a lane of -inf stays -inf."};

inline constexpr const OpDef* kSoftmaxOps[] = {&softmax, &softmax_grad, &log_softmax};

}  // namespace weft::ir::ops
