// backends/onednn/kernels/index.h -- tensors made of positions.
//
//   one_hot:      index: s32|s64[n] -> y: f32[n,depth]      y[i,index[i]] = 1 (out of range: a row
//   of zeros) iota:         -> y: T[outer,n,inner]                    y[o,j,i] = start + step*j
//   length_mask:  lengths: s32[B] -> y: u8[B,size]          y[b,j] = j < lengths[b]
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct OneHot {
  int64_t n = 0, depth = 0;
  const void* index = nullptr;
  DType index_dtype = DType::s32;
  float* y = nullptr;
};

struct Iota {
  int64_t outer = 1, n = 0, inner = 1;
  DType dtype = DType::s32;  // f32, s32, s64
  int64_t start = 0, step = 1;
  void* y = nullptr;
};

struct LengthMask {
  int64_t batch = 0, size = 0;
  const int32_t* lengths = nullptr;
  uint8_t* y = nullptr;
};

void one_hot(const OneHot& args);
void iota(const Iota& args);
void length_mask(const LengthMask& args);

}  // namespace weft::onednn::kernels
