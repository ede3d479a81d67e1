// ir/ops/convolution.h -- convolutions over one, two or three axes, and their adjoints.
//
//   y = conv(x, w; bias?) {strides, dilations, low, high, groups}
//     x: T[B,s1,...,sn,C], w: T[k1,...,kn,C/groups,N], bias: T[N]  ->  y: T[B,o1,...,on,N]
//
//   y[b,o,j] = bias[j] + sum over k, c of x[b, o*strides + k*dilations - low, c] * w[k,c,j]
//
// where x is 0 in the padding (ir/ops/window.h). With groups, the channels of x and of y are cut
// into as many pieces, and each piece of y sees its piece of x only: channel j of y sees channels
// g*C/groups + c of x, g = floor(j / (N/groups)). With as many groups as channels (w: T[k,1,N]) the
// convolution is depthwise. Positions behind a sequence's end are elements like any others: on a
// padded batch mask x first where they are not zeros, and mask y where they should not count.
//
//   dx = conv_input_grad(dy, w) {size, ...}      size: [s1,...,sn]; also known as transposed conv
//   dw = conv_weight_grad(x, dy) {size, ...}     size: [k1,...,kn]
//
// All three are linear in each operand, and each is the adjoint of the others.
#pragma once
#include "ir/ops/window.h"

namespace weft::ir::ops {

Types infer_conv(const OpView& op);
Types infer_conv_input_grad(const OpView& op);
Types infer_conv_weight_grad(const OpView& op);

inline constexpr OpDef conv{
    .name = "conv",
    .operands = {"x", "w", {"bias", Arity::optional}},
    .attrs = {{"strides", AttrKind::integers, kEmpty},
              {"dilations", AttrKind::integers, kEmpty},
              {"low", AttrKind::integers, kEmpty},
              {"high", AttrKind::integers, kEmpty},
              {"groups", int64_t{1}}},
    .infer = infer_conv,
    .zero_preserving = true,
    .doc =
        "Convolution of x [B,s...,C] with w [k...,C/groups,N] plus bias; `low` and `high` zeros "
        "around each axis."};

inline constexpr OpDef conv_input_grad{
    .name = "conv_input_grad",
    .operands = {"dy", "w"},
    .attrs = {{"size", AttrKind::shape},
              {"strides", AttrKind::integers, kEmpty},
              {"dilations", AttrKind::integers, kEmpty},
              {"low", AttrKind::integers, kEmpty},
              {"high", AttrKind::integers, kEmpty},
              {"groups", int64_t{1}}},
    .infer = infer_conv_input_grad,
    .zero_preserving = true,
    .doc = "The adjoint of conv's x, of spatial sizes `size`: a transposed convolution of dy."};

inline constexpr OpDef conv_weight_grad{.name = "conv_weight_grad",
                                        .operands = {"x", "dy"},
                                        .attrs = {{"size", AttrKind::shape},
                                                  {"strides", AttrKind::integers, kEmpty},
                                                  {"dilations", AttrKind::integers, kEmpty},
                                                  {"low", AttrKind::integers, kEmpty},
                                                  {"high", AttrKind::integers, kEmpty},
                                                  {"groups", int64_t{1}}},
                                        .infer = infer_conv_weight_grad,
                                        .zero_preserving = true,
                                        .doc = "The adjoint of conv's w, of window sizes `size`."};

inline constexpr const OpDef* kConvolutionOps[] = {&conv, &conv_input_grad, &conv_weight_grad};

}  // namespace weft::ir::ops
