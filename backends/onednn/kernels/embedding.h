// backends/onednn/kernels/embedding.h -- rows picked by index, and their gradient.
//
//   gather_rows:       y[i,:] = table[index[i],:]         table: T[V,D], index: s32|s64[n] -> y:
//   T[n,D] scatter_add_rows:  table[index[i],:] += x[i,:]        f32
//
// Both return -1, or the first i whose index lies outside [0, V); such rows gather zeros and add
// nothing. Additions to one row happen in the order of i, whatever the number of threads.
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct GatherRows {
  int64_t n = 0, table_rows = 0, columns = 0;
  int64_t element_bytes = 4;  // T is anything
  const void* table = nullptr;
  int64_t ld_table = 0;  // 0 means dense
  const void* index = nullptr;
  DType index_dtype = DType::s32;
  void* y = nullptr;
  int64_t ld_y = 0;  // 0 means dense
};

struct ScatterAddRows {
  int64_t n = 0, table_rows = 0, columns = 0;
  const float* x = nullptr;
  int64_t ld_x = 0;
  const void* index = nullptr;
  DType index_dtype = DType::s32;
  float* table = nullptr;
  int64_t ld_table = 0;
  bool accumulate = false;  // false: the table is zeroed first
};

int64_t gather_rows(const GatherRows& args);
int64_t scatter_add_rows(const ScatterAddRows& args);

}  // namespace weft::onednn::kernels
