// ir/ops/optimizer.h -- the gradient norm and updates of all parameters in one op each; fused.
//
//   %norm2 = squared_norm(gradients...)                    f32[]: sum of squares over all of them
//
//   p1..., m1..., v1... = adam_update(p...; g...; m...; v...; step, lr; scale?)
//       {beta1, beta2, eps, decay, decoupled}
//     Kingma and Ba 2015, algorithm 1, as PyTorch spells it. step: s64[] counts from 1; lr and
//     scale: f32[]. g is multiplied by scale first (clipping); decay is L2 (g += decay p), or
//     decoupled (p -= lr decay p).
//
//   p1..., a1..., d1... = adadelta_update(p...; g...; a...; d...; lr; scale?) {rho, eps}
//     Zeiler 2012: a1 = rho a + (1-rho) g^2;  u = sqrt(d+eps)/sqrt(a1+eps) g;
//     d1 = rho d + (1-rho) u^2;  p1 = p - lr u
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_squared_norm(const OpView& op);
Types infer_adam_update(const OpView& op);
Types infer_adadelta_update(const OpView& op);
Graph expand_squared_norm(const OpView& op);
Graph expand_adam_update(const OpView& op);
Graph expand_adadelta_update(const OpView& op);

inline constexpr OpDef squared_norm{
    .name = "squared_norm",
    .operands = {{"gradients", Arity::variadic}},
    .infer = infer_squared_norm,
    .expand = expand_squared_norm,
    .doc = "Sum of squares over all elements of all operands; fused."};

inline constexpr OpDef adam_update{
    .name = "adam_update",
    .operands = {{"p", Arity::variadic},
                 {"g", Arity::variadic},
                 {"m", Arity::variadic},
                 {"v", Arity::variadic},
                 "step",
                 "lr",
                 {"scale", Arity::optional}},
    .attrs =
        {{"beta1", 0.9}, {"beta2", 0.999}, {"eps", 1e-8}, {"decay", 0.0}, {"decoupled", false}},
    .infer = infer_adam_update,
    .expand = expand_adam_update,
    .doc = "Adam for all parameters at once, gradients scaled first; fused."};

inline constexpr OpDef adadelta_update{
    .name = "adadelta_update",
    .operands = {{"p", Arity::variadic},
                 {"g", Arity::variadic},
                 {"a", Arity::variadic},
                 {"d", Arity::variadic},
                 "lr",
                 {"scale", Arity::optional}},
    .attrs = {{"rho", 0.95}, {"eps", 1e-6}},
    .infer = infer_adadelta_update,
    .expand = expand_adadelta_update,
    .doc = "Adadelta for all parameters at once, gradients scaled first; fused."};

inline constexpr const OpDef* kOptimizerOps[] = {&squared_norm, &adam_update, &adadelta_update};

}  // namespace weft::ir::ops
