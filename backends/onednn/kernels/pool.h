// backends/onednn/kernels/pool.h -- the greatest element or the mean of windows, channels last.
//
//   x: f32[batch,s0,s1,s2,channels], y: f32[batch,o0,o1,o2,channels]; dense
//
// Position o sees the elements o*stride - low + k, k = 0..window-1, of each axis that exist; there
// is at least one. Fewer axes are ones in front. max_pool takes the first of equals and the first
// NaN, and writes to `indices` (unless null) where it stands: row-major over s0,s1,s2. avg_pool
// divides by the number of elements seen, or by the window's size with `count_padding`. The grads
// read dy as `y` (const there) and write dx as `x`. Sums are taken in one order, whatever the team.
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct PoolShape {
  int64_t batch = 1, channels = 1;
  int64_t sizes[3] = {1, 1, 1}, positions[3] = {1, 1, 1}, window[3] = {1, 1, 1};
  int64_t strides[3] = {1, 1, 1}, low[3] = {0, 0, 0};
};

struct MaxPool {
  PoolShape shape;
  const float* x = nullptr;
  float* y = nullptr;
  int32_t* indices = nullptr;
};

struct MaxPoolGrad {
  int64_t batch = 1, positions = 1, elements = 1, channels = 1;
  const float* dy = nullptr;
  const int32_t* indices = nullptr;
  float* dx = nullptr;
};

struct AvgPool {
  PoolShape shape;
  bool count_padding = false;
  const float* x = nullptr;
  float* y = nullptr;
};

struct AvgPoolGrad {
  PoolShape shape;
  bool count_padding = false;
  const float* dy = nullptr;
  float* dx = nullptr;
};

void max_pool(const MaxPool& args);
// Returns where an index lies outside of the elements, or -1; nothing is added for such.
int64_t max_pool_grad(const MaxPoolGrad& args);
void avg_pool(const AvgPool& args);
void avg_pool_grad(const AvgPoolGrad& args);

}  // namespace weft::onednn::kernels
