// backends/onednn/kernels/copy.h -- moving elements without looking at them.
//
//   copy_strided:  dst[i . dst_strides] = src[i . src_strides]     i over shape (rank <= 8)
//   fill:          dst[i . dst_strides] = value
//   pad:           y = value, then x put at offset `low`           dense
//
// Transposes are copies with permuted strides; broadcasts have stride 0; a concatenation is one
// copy a piece, a slice one copy. Elements have 1, 2, 4 or 8 bytes. src and dst may not overlap.
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct CopyStrided {
  int rank = 0;
  int64_t element_bytes = 4;
  int64_t shape[kMaxRank] = {};
  const void* src = nullptr;
  int64_t src_strides[kMaxRank] = {};
  void* dst = nullptr;
  int64_t dst_strides[kMaxRank] = {};
};

struct Fill {
  int rank = 0;
  int64_t element_bytes = 4;
  int64_t shape[kMaxRank] = {};
  void* dst = nullptr;
  int64_t dst_strides[kMaxRank] = {};
  uint64_t value = 0;  // the element's bits, in the low bytes
};

struct Pad {
  int rank = 0;
  int64_t element_bytes = 4;
  int64_t shape[kMaxRank] = {};  // of x
  int64_t low[kMaxRank] = {}, high[kMaxRank] = {};
  const void* x = nullptr;  // dense
  void* y = nullptr;        // dense, shape low + shape + high
  uint64_t value = 0;
};

void copy_strided(const CopyStrided& args);
void fill(const Fill& args);
void pad(const Pad& args);

}  // namespace weft::onednn::kernels
