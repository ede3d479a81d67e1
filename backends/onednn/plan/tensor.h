// backends/onednn/plan/tensor.h -- where a value lies: a base pointer's number, an offset, and strides.
//
// A kernel reads and writes `bases[at.base] + at.offset`; the bases (arena, constants, arguments,
// results, and what loops move) are resolved when a graph runs. Strides count elements and may be 0
// (broadcast) or negative (reversed).
#pragma once
#include "ir/host/array.h"
#include "ir/type.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weft::onednn {

using ir::Dims;

struct Ref {
  int base = -1;
  int64_t offset = 0;  // in bytes
  bool operator==(const Ref&) const = default;
};

struct Tensor {
  ir::DType dtype = ir::DType::f32;
  Dims dims, strides;
  Ref at;
  // [T,B,...] of which each step has as many rows as live, one step after the other: for the
  // loop that runs over it only (Planner::view_of_packed); strides[0] means nothing.
  bool steps_packed = false;
  // bf16 to its readers, which lies there as the f32 it is rounded from (Lowering::rounds).
  bool wide = false;
  // f32 to its readers, which lies there as bf16 (Lowering::widens).
  bool narrow = false;

  int rank() const { return static_cast<int>(dims.size()); }
  int64_t dim(int axis) const { return dims[static_cast<size_t>(axis < 0 ? axis + rank() : axis)]; }
  int64_t stride(int axis) const {
    return strides[static_cast<size_t>(axis < 0 ? axis + rank() : axis)];
  }
  int64_t size() const;  // elements
  int64_t element_bytes() const { return wide ? 4 : narrow ? 2 : ir::bytes(dtype); }
  int64_t span_bytes() const;  // from the first element to behind the last; strides >= 0
  bool operator==(const Tensor&) const = default;
};

// What a kernel can read or write, from the laxest to the strictest.
enum class Layout : uint8_t {
  any,     // every stride is respected
  matrix,  // the last two axes are a matrix or a transposed one; others are free
  inner,   // the last axis is contiguous; others are free
  rows,    // the last axis is contiguous, the others are one row index at an even distance
  dense,
};
bool fits(Layout layout, const Tensor& tensor);

Dims dims_of(const ir::TensorType& type);  // of a specialised graph
Dims dense_strides(const Dims& dims);
// Dense, but rows a multiple of 1 KB apart are moved a cache line further apart: such rows share
// cache sets and cost a matrix product up to half its speed.
Dims padded_strides(const Dims& dims, ir::DType dtype);
Tensor dense(ir::DType dtype, Dims dims, Ref at);
bool is_dense(const Tensor& tensor);

// Rows over all axes but the last, if those are at an even distance.
std::optional<int64_t> row_stride(const Tensor& tensor);
int64_t row_count(const Tensor& tensor);

// The same elements in another shape without moving them, where strides allow it.
std::optional<Tensor> reshaped(const Tensor& tensor, const Dims& dims);
Tensor without_axis(const Tensor& tensor, int axis);
Tensor with_axis(const Tensor& tensor, int axis, int64_t size = 1,
                 int64_t stride = 0);  // a new axis
Tensor sliced(const Tensor& tensor, int axis, int64_t start, int64_t size, int64_t step = 1);
Tensor broadcast_to(const Tensor& tensor, const Dims& dims);
Tensor transposed(const Tensor& tensor);  // the last two axes exchanged
// Axes of size 1 dropped and neighbours merged, for several tensors of one shape alike.
void collapse(std::vector<Tensor*> tensors);

std::string str(const Tensor& tensor);  // "f32[4,512] (528,1) @0+4096"

}  // namespace weft::onednn
