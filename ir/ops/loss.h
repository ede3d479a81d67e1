// ir/ops/loss.h -- softmax cross-entropy over the vocabulary, fused, and its adjoint.
//
//   %loss, %lse = softmax_cross_entropy(logits, labels; weights?) {smoothing}
//     logits: T[...,V], labels: integer[...], weights: T[...]  ->  loss, lse: T[...]
//
//   loss = weights * ((1 - smoothing) * (lse - logits[label]) + smoothing * (lse - mean(logits)))
//
// (Szegedy et al. 2016, eq. 7, as PyTorch spells it.) Where the weight is 0 the row is not read:
// the loss is 0 whatever stands there, and the label may be out of range.
//
//   %dlogits = softmax_cross_entropy_grad(dloss, logits, labels, lse; weights?) {smoothing}
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_softmax_cross_entropy(const OpView& op);
Types infer_softmax_cross_entropy_grad(const OpView& op);
Graph expand_softmax_cross_entropy(const OpView& op);
Graph expand_softmax_cross_entropy_grad(const OpView& op);

inline constexpr OpDef softmax_cross_entropy{
    .name = "softmax_cross_entropy",
    .operands = {"logits", "labels", {"weights", Arity::optional}},
    .attrs = {{"smoothing", 0.0}},
    .infer = infer_softmax_cross_entropy,
    .expand = expand_softmax_cross_entropy,
    .doc =
        "Weighted cross-entropy of labels against softmax(logits) by rows, and the log-sum-exp; "
        "fused."};

inline constexpr OpDef softmax_cross_entropy_grad{
    .name = "softmax_cross_entropy_grad",
    .operands = {"dloss", "logits", "labels", "lse", {"weights", Arity::optional}},
    .attrs = {{"smoothing", 0.0}},
    .infer = infer_softmax_cross_entropy_grad,
    .expand = expand_softmax_cross_entropy_grad,
    .doc = "Adjoint of softmax_cross_entropy's logits."};

}  // namespace weft::ir::ops
