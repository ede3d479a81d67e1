// ir/ops/shape.h -- ops that move, repeat or make elements without computing with them.
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_reshape(const OpView& op);
Types infer_transpose(const OpView& op);
Types infer_broadcast(const OpView& op);
Types infer_concat(const OpView& op);
Types infer_slice(const OpView& op);
Types infer_pad(const OpView& op);
Types infer_reverse(const OpView& op);
Types infer_same_dim(const OpView& op);
Types infer_constant(const OpView& op);
Types infer_iota(const OpView& op);
Types infer_length_mask(const OpView& op);
Types infer_dim_size(const OpView& op);
Types infer_one_hot(const OpView& op);
Types infer_stop_gradient(const OpView& op);

inline constexpr OpDef broadcast{
    .name = "broadcast",
    .operands = {"x"},
    .attrs = {{"shape", AttrKind::shape}},
    .infer = infer_broadcast,
    .zero_preserving = true,
    .doc = "x repeated to `shape`: axes are matched from the right, a literal 1 repeats."};

inline constexpr OpDef concat{.name = "concat",
                              .operands = {{"x", Arity::variadic}},
                              .attrs = {{"axis", AttrKind::axis}},
                              .infer = infer_concat,
                              .zero_preserving = true,
                              .doc = "Operands one after the other along `axis`."};

// constant() {dtype, shape, values}: `values` row-major, or a single one for all elements.
inline constexpr OpDef constant{
    .name = "constant",
    .operands = {},
    .attrs = {{"dtype", AttrKind::dtype, kEmpty},
              {"shape", AttrKind::shape, kEmpty},
              {"values", AttrKind::reals}},
    .infer = infer_constant,
    .doc = "Known values: `values` row-major, or a single one for all elements."};

inline constexpr OpDef dim_size{.name = "dim_size",
                                .operands = {"x"},
                                .attrs = {{"axis", AttrKind::axis}, {"dtype", AttrKind::dtype}},
                                .infer = infer_dim_size,
                                .doc = "The size of `axis` as a scalar of `dtype`."};

inline constexpr OpDef iota{
    .name = "iota",
    .operands = {},
    .attrs = {{"shape", AttrKind::shape}, {"axis", int64_t{0}}, {"dtype", AttrKind::dtype}},
    .infer = infer_iota,
    .doc = "0, 1, 2, ... along `axis` (from the front)."};

inline constexpr OpDef length_mask{.name = "length_mask",
                                   .operands = {"lengths"},
                                   .attrs = {{"size", AttrKind::dim}},
                                   .infer = infer_length_mask,
                                   .doc = "pred[...,size]: position < lengths[...]."};

inline constexpr OpDef one_hot{
    .name = "one_hot",
    .operands = {"indices"},
    .attrs = {{"size", AttrKind::dim}, {"dtype", AttrKind::dtype, kEmpty}},
    .infer = infer_one_hot,
    .doc = "1 at the index along a new last axis of `size`, else 0; all 0 where out of range."};

inline constexpr OpDef pad{
    .name = "pad",
    .operands = {"x"},
    .attrs = {{"axis", AttrKind::axis},
              {"low", AttrKind::dim, int64_t{0}},
              {"high", AttrKind::dim, int64_t{0}},
              {"value", 0.0}},
    .infer = infer_pad,
    .doc = "`low` elements of `value` before and `high` after x along `axis`."};

inline constexpr OpDef reshape{.name = "reshape",
                               .operands = {"x"},
                               .attrs = {{"shape", AttrKind::shape}},
                               .infer = infer_reshape,
                               .zero_preserving = true,
                               .doc = "The same elements, row-major, in `shape`."};

inline constexpr OpDef reverse{.name = "reverse",
                               .operands = {"x"},
                               .attrs = {{"axis", AttrKind::axis}},
                               .infer = infer_reverse,
                               .zero_preserving = true,
                               .doc = "Elements in opposite order along `axis`."};

// Asserts that an axis has a size that cannot be proved; tested when the graph is bound.
inline constexpr OpDef same_dim{
    .name = "same_dim",
    .operands = {"x"},
    .attrs = {{"axis", AttrKind::axis}, {"size", AttrKind::dim}},
    .infer = infer_same_dim,
    .zero_preserving = true,
    .doc = "x, its `axis` taken to be `size`; tested when symbols are bound."};

inline constexpr OpDef slice{
    .name = "slice",
    .operands = {"x"},
    .attrs = {{"axis", AttrKind::axis},
              {"start", AttrKind::dim, int64_t{0}},
              {"stop", AttrKind::dim},
              {"step", int64_t{1}}},
    .infer = infer_slice,
    .zero_preserving = true,
    .doc = "Elements start, start+step, ... below stop along `axis`; 0 <= start <= stop <= size."};

inline constexpr OpDef stop_gradient{.name = "stop_gradient",
                                     .operands = {"x"},
                                     .infer = infer_stop_gradient,
                                     .zero_preserving = true,
                                     .doc = "x; its gradient is zero."};

inline constexpr OpDef transpose{
    .name = "transpose",
    .operands = {"x"},
    .attrs = {{"perm", AttrKind::integers}},
    .infer = infer_transpose,
    .zero_preserving = true,
    .doc = "Axis i of the result is axis perm[i] of x (from the front)."};

// Holds elements of operand 0 and none else: free where its readers can read them as they lie.
bool is_view(const OpDef& op);

inline constexpr const OpDef* kShapeOps[] = {
    &broadcast, &concat,  &constant, &dim_size, &iota,  &length_mask,   &one_hot,
    &pad,       &reshape, &reverse,  &same_dim, &slice, &stop_gradient, &transpose};

}  // namespace weft::ir::ops
