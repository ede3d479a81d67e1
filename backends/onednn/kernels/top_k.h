// backends/onednn/kernels/top_k.h -- the greatest elements of every row, and where they stand.
//
//   x: f32[rows,n] -> values: f32[rows,k], indices: s32[rows,k], the greatest first; 1 <= k <= n
//
// Of equal elements the first comes first; NaN is greater than everything. With `log_softmax` the
// values are those of log_softmax(x): x - log sum exp(x) (NaN throughout where a row holds NaN or
// +inf, with the first k indices; -inf where the row is). Elements are compared before the sum is
// taken off, so that rounding never makes equals of them. The sum is taken in chunks of fixed size,
// one after the other: its bits depend neither on the team nor on the other rows.
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct TopK {
  int64_t rows = 1, n = 1, k = 1;
  bool log_softmax = false;
  const float* x = nullptr;
  int64_t ld_x = 0;  // 0: dense
  float* values = nullptr;
  int32_t* indices = nullptr;
  void* workspace = nullptr;  // top_k_workspace_bytes, may be null if that is 0
};

size_t top_k_workspace_bytes(const TopK& args);
void top_k(const TopK& args);

}  // namespace weft::onednn::kernels
