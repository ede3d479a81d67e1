// backends/onednn/kernels/narrow.h -- rows of f32 made rows of bf16 in place.
//
//   x: f32[M,N]  ->  bf16[M,N] that begin where the rows of x did     to nearest, halves to even
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct NarrowRows {
  int64_t rows = 0, columns = 0;
  float* x = nullptr;
  int64_t ld = 0;  // in floats
};

void narrow_rows(const NarrowRows& args);

}  // namespace weft::onednn::kernels
