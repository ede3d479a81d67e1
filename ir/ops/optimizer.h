// ir/ops/optimizer.h -- the gradient norm and updates of all parameters in one op each; fused.
//
//   %norm2 = squared_norm(gradients...)                    f32[]: sum of squares over all of them
//
// Updates take parameters p, their gradients g and states; results are new p and states. lr and
// scale: f32[]. g is multiplied by scale first (clipping). Where there is a decay, it is L2
// (g += decay p), or decoupled (p -= lr decay p, Loshchilov and Hutter 2019).
//
//   p1..., m1..., v1... = adam_update(p...; g...; m...; v...; step, lr; scale?)
//       {beta1, beta2, eps, decay, decoupled}
//     Kingma and Ba 2015, algorithm 1, as PyTorch spells it. step: s64[] counts from 1.
//
//   p1..., a1..., d1... = adadelta_update(p...; g...; a...; d...; lr; scale?)
//       {rho, eps, decay, decoupled}
//     Zeiler 2012: a1 = rho a + (1-rho) g^2;  u = sqrt(d+eps)/sqrt(a1+eps) g;
//     d1 = rho d + (1-rho) u^2;  p1 = p - lr u
//
//   p1..., m1... = sgd_update(p...; g...; m...; lr; scale?) {momentum, nesterov, decay, decoupled}
//     m1 = momentum m + g;  p1 = p - lr m1, or - lr (g + momentum m1) (Nesterov 1983, as Sutskever
//     et al. 2013 and PyTorch have it). Without m: p1 = p - lr g
//
//   p1..., a1... = adagrad_update(p...; g...; a...; lr; scale?) {eps, initial, decay, decoupled}
//     Duchi et al. 2011: a1 = a + g^2;  p1 = p - lr g / (sqrt(a1 + initial) + eps)
//
//   p1..., m1... = lion_update(p...; g...; m...; lr; scale?) {beta1, beta2, decay, decoupled}
//     Chen et al. 2023: p1 = p - lr sign(beta1 m + (1-beta1) g);  m1 = beta2 m + (1-beta2) g
//
//   p1..., m1..., r1..., c1... = adafactor_update(p...; g...; m...; r...; c...; beta2, lr; scale?)
//       {beta1, eps, clip, least_scale, scaled, decay, decoupled}
//     Shazeer and Stern 2018, as Hugging Face spells it. Of p: T[...,R,C] the second moments are
//     r: T[...,R] and c: T[...,C], means over columns and over rows; without c..., r is as p and
//     holds all of them. m may be absent: no first moments. beta2: f32[], of this step.
//       h = g^2 + eps;  r1 = beta2 r + (1-beta2) mean_C h;  c1 = beta2 c + (1-beta2) mean_R h
//       u = g / sqrt(r1 c1 / mean_R r1), or g / sqrt(r1);  u /= max(1, rms(u) / clip)
//       a = lr max(least_scale, rms(p)), or lr unless `scaled`;  m1 = beta1 m + (1-beta1) a u
//       p1 = p - m1, or - a u;  the decoupled decay is of a
//
//   a1... = moving_average(p...; a...; decay)        decay: f32[];  a1 = decay a + (1-decay) p
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_squared_norm(const OpView& op);
Types infer_update(const OpView& op);
Types infer_adam_update(const OpView& op);
Types infer_sgd_update(const OpView& op);
Types infer_adafactor_update(const OpView& op);
Types infer_moving_average(const OpView& op);
Graph expand_squared_norm(const OpView& op);
Graph expand_adam_update(const OpView& op);
Graph expand_adadelta_update(const OpView& op);
Graph expand_sgd_update(const OpView& op);
Graph expand_adagrad_update(const OpView& op);
Graph expand_lion_update(const OpView& op);
Graph expand_adafactor_update(const OpView& op);
Graph expand_moving_average(const OpView& op);

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
    .attrs = {{"rho", 0.95}, {"eps", 1e-6}, {"decay", 0.0}, {"decoupled", false}},
    .infer = infer_update,
    .expand = expand_adadelta_update,
    .doc = "Adadelta for all parameters at once, gradients scaled first; fused."};

inline constexpr OpDef sgd_update{
    .name = "sgd_update",
    .operands = {{"p", Arity::variadic},
                 {"g", Arity::variadic},
                 {"m", Arity::variadic},
                 "lr",
                 {"scale", Arity::optional}},
    .attrs = {{"momentum", 0.0}, {"nesterov", false}, {"decay", 0.0}, {"decoupled", false}},
    .infer = infer_sgd_update,
    .expand = expand_sgd_update,
    .doc = "Gradient descent, with momentum or without, for all parameters at once; fused."};

inline constexpr OpDef adagrad_update{
    .name = "adagrad_update",
    .operands = {{"p", Arity::variadic},
                 {"g", Arity::variadic},
                 {"a", Arity::variadic},
                 "lr",
                 {"scale", Arity::optional}},
    .attrs = {{"eps", 1e-10}, {"initial", 0.0}, {"decay", 0.0}, {"decoupled", false}},
    .infer = infer_update,
    .expand = expand_adagrad_update,
    .doc = "Adagrad for all parameters at once, gradients scaled first; fused."};

inline constexpr OpDef lion_update{
    .name = "lion_update",
    .operands = {{"p", Arity::variadic},
                 {"g", Arity::variadic},
                 {"m", Arity::variadic},
                 "lr",
                 {"scale", Arity::optional}},
    .attrs = {{"beta1", 0.9}, {"beta2", 0.99}, {"decay", 0.0}, {"decoupled", false}},
    .infer = infer_update,
    .expand = expand_lion_update,
    .doc = "Lion for all parameters at once, gradients scaled first; fused."};

inline constexpr OpDef adafactor_update{
    .name = "adafactor_update",
    .operands = {{"p", Arity::variadic},
                 {"g", Arity::variadic},
                 {"m", Arity::variadic},
                 {"r", Arity::variadic},
                 {"c", Arity::variadic},
                 "beta2",
                 "lr",
                 {"scale", Arity::optional}},
    .attrs = {{"beta1", 0.0},
              {"eps", 1e-30},
              {"clip", 1.0},
              {"least_scale", 1e-3},
              {"scaled", true},
              {"decay", 0.0},
              {"decoupled", false}},
    .infer = infer_adafactor_update,
    .expand = expand_adafactor_update,
    .doc = "Adafactor for all parameters at once, second moments factored or not; fused."};

inline constexpr OpDef moving_average{
    .name = "moving_average",
    .operands = {{"p", Arity::variadic}, {"a", Arity::variadic}, "decay"},
    .infer = infer_moving_average,
    .expand = expand_moving_average,
    .doc = "Exponential moving averages of all operands at once; fused."};

inline constexpr const OpDef* kOptimizerOps[] = {
    &squared_norm,   &adam_update, &adadelta_update,  &sgd_update,
    &adagrad_update, &lion_update, &adafactor_update, &moving_average};

}  // namespace weft::ir::ops
