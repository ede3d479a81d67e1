// backends/onednn/kernels/arg_max.h -- where the largest element of an axis stands.
//
//   x: f32[outer,n,inner] -> y: s32|s64[outer,inner]
//
// The first of equal elements wins; the first NaN counts as larger than everything. n >= 1.
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct ArgMax {
  int64_t outer = 1, n = 1, inner = 1;
  const float* x = nullptr;
  int64_t x_outer = 0, x_n = 0;  // strides; 0 means dense
  DType index = DType::s64;
  void* y = nullptr;  // dense
};

void arg_max(const ArgMax& args);

}  // namespace weft::onednn::kernels
