// backends/onednn/kernels/sort.h -- elements in order along an axis, and where they stood.
//
//   x: T[outer,n,inner] -> values: T[outer,n,inner], indices: s32[outer,n,inner]
//
// T is f32, s32 or s64; dense, not in place. Stable in both directions (0 and -0 are equal), NaN
// greater than everything. A lane is sorted by its digits, in as many passes as it has different
// ones: time is linear in n.
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct Sort {
  DType dtype = DType::f32;
  int64_t outer = 1, n = 1, inner = 1;
  bool descending = false;
  const void* x = nullptr;
  void* values = nullptr;
  int32_t* indices = nullptr;
  void* workspace = nullptr;  // sort_workspace_bytes
};

// Of one thread: keys and indices, twice.
constexpr int64_t sort_thread_bytes(const Sort& args) { return args.n * 2 * (8 + 4); }
size_t sort_workspace_bytes(const Sort& args);
void sort(const Sort& args);

}  // namespace weft::onednn::kernels
