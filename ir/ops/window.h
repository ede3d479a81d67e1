// ir/ops/window.h -- windows that slide over the axes between the batch and the channels.
//
//   x: T[B,s1,...,sn,C], n = 1, 2 or 3: position o of a window along an axis covers the elements
//   o*stride + k*dilation - low, k = 0..size-1, of that axis; those before it and behind it are
//   padding, of which there are `low` and `high`. There are
//
//     floordiv(s + low + high - dilation*(size-1) - 1, stride) + 1
//
//   positions. A window larger than what it slides over is an error.
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

inline constexpr int kMostWindowAxes = 3;

struct Window {
  Shape size;                              // of the window, by axis
  Integers strides, dilations, low, high;  // an entry an axis

  size_t axes() const { return size.size(); }
};

// The attributes `strides`, `dilations`, `low` and `high`, as far as the op has them; an empty list
// stands for ones (zeros for low and high). Errors are labelled op.w1 and so on.
Window window_of(const OpView& op, Shape size);
// The positions along each axis of a value of these sizes.
Shape window_positions(const OpView& op, const Window& window, const Shape& sizes);

// The axes between the first and the last.
inline Shape between(const Shape& shape) { return {shape.begin() + 1, shape.end() - 1}; }
inline Shape around(const Dim& batch, Shape sizes, const Dim& channels) {
  sizes.insert(sizes.begin(), batch);
  sizes.push_back(channels);
  return sizes;
}

}  // namespace weft::ir::ops
