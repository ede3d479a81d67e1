// ir/ops/sort.h -- the elements along an axis in order, and where they stood.
//
//   values, indices = sort(x) {axis, descending}
//     x: T[...,N,...]  ->  values: T[...,N,...], indices: s32[...,N,...]
//
// The least first; with `descending` the greatest. Of equal elements (0 and -0 are) the first comes
// first either way. NaN counts as greatest, as for arg_max and top_k.
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_sort(const OpView& op);

inline constexpr OpDef sort{
    .name = "sort",
    .operands = {"x"},
    .attrs = {{"axis", AttrKind::axis, int64_t{-1}}, {"descending", false}},
    .infer = infer_sort,
    .doc =
        "Elements in order along `axis` and the s32 indices they had; of equal ones the first "
        "comes first, NaN counts as greatest."};

inline constexpr const OpDef* kSortOps[] = {&sort};

}  // namespace weft::ir::ops
