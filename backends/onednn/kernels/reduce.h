// backends/onednn/kernels/reduce.h -- sums and their kin over one axis of [outer, n, inner].
//
//   x: T[outer,n,inner] -> y: T[outer,inner]     y[o,i] = sum | mean | prod | max | min over n
//
// T is f32, s32 or s64 (integer means truncate), or x is bf16, summed up as f32: sum and mean only. Inner elements are contiguous. Sums run over
// chunks of a fixed size that are then added in order: the bits do not depend on the number of
// threads. max and min propagate NaN. An empty axis gives the neutral element (0, 1, -inf, inf, the
// extreme integers), an empty mean NaN (0 for integers).
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

enum class Reduction : uint8_t { sum, mean, prod, max, min };

struct Reduce {
  Reduction kind = Reduction::sum;
  DType dtype = DType::f32;
  int64_t outer = 1, n = 1, inner = 1;
  const void* x = nullptr;
  int64_t x_outer = 0, x_n = 0;  // strides; 0 means dense
  void* y = nullptr;
  int64_t y_outer = 0;        // 0 means dense
  bool accumulate = false;    // y += for sum and mean; not for the others
  void* workspace = nullptr;  // reduce_workspace_bytes, may be null if that is 0
};

size_t reduce_workspace_bytes(const Reduce& args);
void reduce(const Reduce& args);

}  // namespace weft::onednn::kernels
