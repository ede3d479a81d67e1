// ir/ops/gather.h -- reading and writing at places that are known only at run time.
//
//   y = gather(x, indices) {axis, batch}
//
// The first `batch` axes of x and of indices go together; y has x's axes before `axis`, then the
// indices' axes after the first `batch`, then x's axes after `axis`. `axis` >= batch. With batch 0
// and axis 0 this is an embedding look-up. An index outside [0, size of axis) is an error at run
// time that names the index; it never reads elsewhere.
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_gather(const OpView& op);
Types infer_scatter_add(const OpView& op);
Types infer_dynamic_slice(const OpView& op);
Types infer_update_slice(const OpView& op);

inline constexpr OpDef gather{
    .name = "gather",
    .operands = {"x", "indices"},
    .attrs = {{"axis", AttrKind::axis}, {"batch", int64_t{0}}},
    .infer = infer_gather,
    .doc = "Slices of x at `indices` along `axis`; the first `batch` axes go together."};

// The adjoint of gather: x with updates (of gather's result type) added at `indices`.
inline constexpr OpDef scatter_add{
    .name = "scatter_add",
    .operands = {"x", "indices", "updates"},
    .attrs = {{"axis", AttrKind::axis}, {"batch", int64_t{0}}},
    .infer = infer_scatter_add,
    .doc = "x plus `updates` at `indices` along `axis`; repeated indices add up."};

// start is an integer scalar, clamped to [0, n - size].
inline constexpr OpDef dynamic_slice{
    .name = "dynamic_slice",
    .operands = {"x", "start"},
    .attrs = {{"axis", AttrKind::axis}, {"size", AttrKind::dim}},
    .infer = infer_dynamic_slice,
    .doc = "`size` elements along `axis` from a start known at run time, clamped to fit."};

inline constexpr OpDef update_slice{
    .name = "update_slice",
    .operands = {"x", "update", "start"},
    .attrs = {{"axis", AttrKind::axis}},
    .infer = infer_update_slice,
    .doc = "x with `update` written along `axis` from a start known at run time, clamped to fit."};

inline constexpr const OpDef* kGatherOps[] = {&gather, &scatter_add, &dynamic_slice, &update_slice};

}  // namespace weft::ir::ops
