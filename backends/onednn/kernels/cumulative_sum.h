// backends/onednn/kernels/cumulative_sum.h -- running sums and products along one axis.
//
//   x: T[outer,n,inner] -> y: T[outer,n,inner]     y[o,j,i] = sum_{l<=j} x[o,l,i]
//
// With `product` the terms are multiplied. T is f32, s32 or s64; dense. `exclusive` leaves out l = j, `reverse` sums from the other end.
// May be in place. Terms are added strictly in order.
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct CumulativeSum {
  DType dtype = DType::f32;
  int64_t outer = 1, n = 1, inner = 1;
  const void* x = nullptr;
  void* y = nullptr;
  bool exclusive = false, reverse = false, product = false;
};

//   a, b: f32[outer,n,inner] -> y: f32[outer,n,inner]    y[o,j,i] = a[o,j,i] y[o,j-1,i] + b[o,j,i]
//
// May lie over a or b.
struct LinearRecurrence {
  int64_t outer = 1, n = 1, inner = 1;
  bool reverse = false;
  const float *a = nullptr, *b = nullptr;
  float* y = nullptr;
};

void cumulative_sum(const CumulativeSum& args);
void linear_recurrence(const LinearRecurrence& args);

}  // namespace weft::onednn::kernels
