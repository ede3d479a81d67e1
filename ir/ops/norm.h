// ir/ops/norm.h -- layer norm and RMS norm over the last axis, fused, and their adjoints.
//
//   %y[, %mean, %rstd] = layer_norm(x; scale?; shift?) {eps, statistics, rounded}
//   %y[, %rstd] = rms_norm(x; scale?) {eps, statistics, rounded}
//     x: T[...,D], scale, shift: T[D]  ->  y: T[...,D], mean, rstd: T[...]
//
//   layer_norm: rstd = 1 / sqrt(mean((x - mean(x))^2) + eps)   (Ba et al. 2016, eq. 4)
//               y = (x - mean(x)) * rstd * scale + shift
//   rms_norm:   rstd = 1 / sqrt(mean(x^2) + eps)               (Zhang and Sennrich 2019, eq. 4)
//               y = x * rstd * scale
//
// The variance is that of the centred row, not mean(x^2) - mean(x)^2, which cancels. Results `mean`
// and `rstd` exist where `statistics` is set. `rounded`, y of f32 becomes bf16 last.
//
//   %dx, ... = layer_norm_grad(dy, x, mean, rstd; scale?; shift?) {eps, wanted}
//   %dx, ... = rms_norm_grad(dy, x, rstd; scale?) {eps, wanted}
//
// give the adjoints named in `wanted` (of x, scale, shift), in that order.
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_norm(const OpView& op);
Types infer_norm_grad(const OpView& op);
Graph expand_norm(const OpView& op);
Graph expand_norm_grad(const OpView& op);

inline constexpr OpDef layer_norm{
    .name = "layer_norm",
    .operands = {"x", {"scale", Arity::optional}, {"shift", Arity::optional}},
    .attrs = {{"eps", 1e-5}, {"statistics", false}, {"rounded", false}},
    .infer = infer_norm,
    .expand = expand_norm,
    .doc = "(x - mean) / sqrt(variance + eps) over the last axis, times scale plus shift; fused."};

inline constexpr OpDef layer_norm_grad{
    .name = "layer_norm_grad",
    .operands = {"dy", "x", "mean", "rstd", {"scale", Arity::optional}, {"shift", Arity::optional}},
    .attrs = {{"eps", 1e-5}, {"wanted", AttrKind::texts}},
    .infer = infer_norm_grad,
    .expand = expand_norm_grad,
    .doc = "Adjoints of layer_norm's operands named in `wanted`."};

inline constexpr OpDef rms_norm{
    .name = "rms_norm",
    .operands = {"x", {"scale", Arity::optional}},
    .attrs = {{"eps", 1e-6}, {"statistics", false}, {"rounded", false}},
    .infer = infer_norm,
    .zero_preserving = true,
    .expand = expand_norm,
    .doc = "x / sqrt(mean(x^2) + eps) over the last axis, times scale; fused."};

inline constexpr OpDef rms_norm_grad{.name = "rms_norm_grad",
                                     .operands = {"dy", "x", "rstd", {"scale", Arity::optional}},
                                     .attrs = {{"eps", 1e-6}, {"wanted", AttrKind::texts}},
                                     .infer = infer_norm_grad,
                                     .expand = expand_norm_grad,
                                     .doc = "Adjoints of rms_norm's operands named in `wanted`."};

inline constexpr const OpDef* kNormOps[] = {&layer_norm, &layer_norm_grad, &rms_norm,
                                            &rms_norm_grad};

}  // namespace weft::ir::ops
