// ir/ops/distance.h -- values by the distance between a query and a key.
//
//   y = by_distance(x) {queries}      x: T[...,Tq+S-1]  ->  y: T[...,Tq,S], Tq = queries
//     y[...,t,j] = x[...,j - t + Tq - 1]
//
//   x = sum_by_distance(y)            y: T[...,Tq,S]  ->  x: T[...,Tq+S-1]
//     x[...,d] = sum of y[...,t,j] over all t and j with j - t + Tq - 1 = d
//
// The first element is of the first key and the last query, element Tq-1 of a query and the key at
// its own position. Either is the other's adjoint.
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_by_distance(const OpView& op);
Types infer_sum_by_distance(const OpView& op);

inline constexpr OpDef by_distance{
    .name = "by_distance",
    .operands = {"x"},
    .attrs = {{"queries", AttrKind::dim}},
    .infer = infer_by_distance,
    .zero_preserving = true,
    .doc =
        "T[...,queries,S] of T[...,queries+S-1]: for query t and key j the element "
        "j - t + queries - 1."};

inline constexpr OpDef sum_by_distance{
    .name = "sum_by_distance",
    .operands = {"y"},
    .infer = infer_sum_by_distance,
    .zero_preserving = true,
    .doc = "T[...,Tq+S-1] of T[...,Tq,S]: sums of what `by_distance` makes of one element."};

inline constexpr const OpDef* kDistanceOps[] = {&by_distance, &sum_by_distance};

}  // namespace weft::ir::ops
