// ir/ops/loss.h -- softmax cross-entropy over the vocabulary, fused, and its adjoint.
//
//   %loss, %lse = softmax_cross_entropy(logits, labels; weights?) {smoothing, skip_unknown}
//     logits: T[...,V], labels: integer[...], weights: T[...]  ->  loss, lse: T[...]
//
//   loss = weights * ((1 - smoothing) * (lse - logits[label]) + smoothing * (lse - mean(logits)))
//
// (Szegedy et al. 2016, eq. 7, as PyTorch spells it.) Of a row that is -inf throughout the loss is
// infinite, with zero gradient. Where the weight is 0 the row is not read: the loss is 0 whatever
// stands there, and the label may be out of range. Elsewhere a label out of range is an error, as
// in `gather`; with `skip_unknown` its first term is 0, as that of a `one_hot` of zeros.
//
//   %dlogits = softmax_cross_entropy_grad(dloss, logits, labels, lse; weights?) {smoothing}
//
// And both at once, of logits that are a product, where dloss is known before the loss is:
//
//   %loss, (gradients) = linear_cross_entropy(dloss, x, w, labels; bias?; weights?)
//                        {transpose_b, smoothing, wanted}
//     dloss, weights: T[...], x: T[...,K], w: T[K,V] (T[V,K] transposed), labels: integer[...],
//     bias: T[V]  ->  loss: T[...], then the adjoints of what `wanted` names of x, w and bias
//
// x and w may be bf16 (all else is f32 then): the scores are a product of theirs, bias included, rounded
// to bf16 last, and so is their gradient. What is computed of them is f32.
//
// A kernel then needs some rows of the logits at a time only (cf. Wijmans et al. 2025, "Cut Your
// Losses in Large-Vocabulary Language Models").
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_softmax_cross_entropy(const OpView& op);
Types infer_softmax_cross_entropy_grad(const OpView& op);
Types infer_linear_cross_entropy(const OpView& op);
Graph expand_softmax_cross_entropy(const OpView& op);
Graph expand_softmax_cross_entropy_grad(const OpView& op);
Graph expand_linear_cross_entropy(const OpView& op);

inline constexpr OpDef linear_cross_entropy{
    .name = "linear_cross_entropy",
    .operands =
        {"dloss", "x", "w", "labels", {"bias", Arity::optional}, {"weights", Arity::optional}},
    .attrs = {{"transpose_b", false},
              {"smoothing", 0.0},
              {"skip_unknown", false},
              {"wanted", AttrKind::texts}},
    .infer = infer_linear_cross_entropy,
    .expand = expand_linear_cross_entropy,
    .doc =
        "Weighted cross-entropy of labels against softmax(x w + bias) by rows, and the adjoints "
        "named in `wanted`; fused."};

inline constexpr OpDef softmax_cross_entropy{
    .name = "softmax_cross_entropy",
    .operands = {"logits", "labels", {"weights", Arity::optional}},
    .attrs = {{"smoothing", 0.0}, {"skip_unknown", false}},
    .infer = infer_softmax_cross_entropy,
    .expand = expand_softmax_cross_entropy,
    .doc =
        "Weighted cross-entropy of labels against softmax(logits) by rows, and the log-sum-exp; "
        "fused."};

inline constexpr OpDef softmax_cross_entropy_grad{
    .name = "softmax_cross_entropy_grad",
    .operands = {"dloss", "logits", "labels", "lse", {"weights", Arity::optional}},
    .attrs = {{"smoothing", 0.0}, {"skip_unknown", false}},
    .infer = infer_softmax_cross_entropy_grad,
    .expand = expand_softmax_cross_entropy_grad,
    .doc = "Adjoint of softmax_cross_entropy's logits."};

inline constexpr const OpDef* kLossOps[] = {&linear_cross_entropy, &softmax_cross_entropy,
                                            &softmax_cross_entropy_grad};

}  // namespace weft::ir::ops
