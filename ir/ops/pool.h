// ir/ops/pool.h -- the greatest element or the mean of windows, and their adjoints.
//
//   y[, indices] = max_pool(x) {window, strides, low, high, indices}
//   y = avg_pool(x) {window, strides, low, high, count_padding}
//     x: T[B,s1,...,sn,C]  ->  y: T[B,o1,...,on,C], indices: s32[B,o1,...,on,C], n = 1, 2 or 3
//
// Windows as in ir/ops/window.h; less padding than a window, so that every window has an element.
// Padding is never the greatest, and not counted in a mean unless `count_padding` is set. Of equal
// elements the first is taken, NaN counts as greatest. `indices` says which element it was, counted
// row-major over s1,...,sn.
//
//   dx = max_pool_grad(dy, indices) {size}       size: [s1,...,sn]
//   dx = avg_pool_grad(dy) {size, ...}
#pragma once
#include "ir/ops/window.h"

namespace weft::ir::ops {

Types infer_max_pool(const OpView& op);
Types infer_max_pool_grad(const OpView& op);
Types infer_avg_pool(const OpView& op);
Types infer_avg_pool_grad(const OpView& op);
Graph expand_max_pool_grad(const OpView& op);

// The window that the attribute names, as a shape.
Shape pool_window(const OpView& op);

inline constexpr OpDef avg_pool{
    .name = "avg_pool",
    .operands = {"x"},
    .attrs = {{"window", AttrKind::integers},
              {"strides", AttrKind::integers, kEmpty},
              {"low", AttrKind::integers, kEmpty},
              {"high", AttrKind::integers, kEmpty},
              {"count_padding", false}},
    .infer = infer_avg_pool,
    .zero_preserving = true,
    .doc = "Mean of each `window` over the axes between the first and the last."};

inline constexpr OpDef avg_pool_grad{
    .name = "avg_pool_grad",
    .operands = {"dy"},
    .attrs = {{"size", AttrKind::shape},
              {"window", AttrKind::integers},
              {"strides", AttrKind::integers, kEmpty},
              {"low", AttrKind::integers, kEmpty},
              {"high", AttrKind::integers, kEmpty},
              {"count_padding", false}},
    .infer = infer_avg_pool_grad,
    .zero_preserving = true,
    .doc = "The adjoint of avg_pool's x, of spatial sizes `size`."};

inline constexpr OpDef max_pool{
    .name = "max_pool",
    .operands = {"x"},
    .attrs = {{"window", AttrKind::integers},
              {"strides", AttrKind::integers, kEmpty},
              {"low", AttrKind::integers, kEmpty},
              {"high", AttrKind::integers, kEmpty},
              {"indices", false}},
    .infer = infer_max_pool,
    .zero_preserving = true,
    .doc =
        "Greatest element of each `window` over the axes between the first and the last, the "
        "first of equals, and where it stands."};

inline constexpr OpDef max_pool_grad{
    .name = "max_pool_grad",
    .operands = {"dy", "indices"},
    .attrs = {{"size", AttrKind::shape}},
    .infer = infer_max_pool_grad,
    .zero_preserving = true,
    .expand = expand_max_pool_grad,
    .doc = "The adjoint of max_pool's x, of spatial sizes `size`: dy added at `indices`."};

inline constexpr const OpDef* kPoolOps[] = {&avg_pool, &avg_pool_grad, &max_pool, &max_pool_grad};

}  // namespace weft::ir::ops
