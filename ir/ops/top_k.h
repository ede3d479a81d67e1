// ir/ops/top_k.h -- the greatest elements of the last axis and where they stand.
//
//   values, indices = top_k(x) {k}      x: T[d0,...,N]  ->  values: T[d0,...,k], indices:
//   s32[d0,...,k]
//
// Sorted from the greatest down; of equal elements the first comes first. NaN counts as greatest,
// as for arg_max. 1 <= k <= N.
//
//   values, indices = log_softmax_top_k(x) {k}
//
// is top_k(log_softmax(x)) with the logarithm of the sum taken in the same pass; log_softmax(x)
// itself is never written.
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_top_k(const OpView& op);
Types infer_log_softmax_top_k(const OpView& op);
Graph expand_log_softmax_top_k(const OpView& op);

inline constexpr OpDef top_k{
    .name = "top_k",
    .operands = {"x"},
    .attrs = {{"k", AttrKind::dim}},
    .infer = infer_top_k,
    .doc =
        "The `k` greatest elements of the last axis, sorted, and their s32 indices; of equal "
        "ones the first comes first, NaN counts as greatest."};

inline constexpr OpDef log_softmax_top_k{.name = "log_softmax_top_k",
                                         .operands = {"x"},
                                         .attrs = {{"k", AttrKind::dim}},
                                         .infer = infer_log_softmax_top_k,
                                         .expand = expand_log_softmax_top_k,
                                         .doc = "top_k of log_softmax over the last axis; fused."};

inline constexpr const OpDef* kTopKOps[] = {&top_k, &log_softmax_top_k};

}  // namespace weft::ir::ops
