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

// Look-ups with indices of their own for each of `batch`:
//
//   x: T[batch,outer,n,inner], index: [batch,picks] -> y: T[batch,outer,picks,inner]
//     y[b,o,p,:] = x[b,o,index[b,p],:]
struct GatherLanes {
  int64_t batch = 1, outer = 1, n = 1, inner = 1, picks = 1, element_bytes = 4;
  DType index_dtype = DType::s32;  // or s64
  const void *x = nullptr, *index = nullptr;
  void* y = nullptr;
};

// The other way: y[b,o,index[b,p],:] += x[b,o,p,:], of floats. Terms are added in order of p.
struct ScatterAddLanes {
  int64_t batch = 1, outer = 1, n = 1, inner = 1, picks = 1;
  DType index_dtype = DType::s32;  // or s64
  const float* x = nullptr;
  const void* index = nullptr;
  float* y = nullptr;
};

// Both return where an index lies outside of [0, n), or -1; nothing is read or written there.
int64_t gather_lanes(const GatherLanes& args);
int64_t scatter_add_lanes(const ScatterAddLanes& args);

}  // namespace weft::onednn::kernels
