// backends/onednn/kernels/packed_gemm.h -- a product with weights that were laid out beforehand.
//
//   pack_weights:  w: f32[K,N] -> panels of columns, each row of a panel side by side
//   packed_gemm:   y = x w + add                  x: f32[M,K] -> y: f32[M,N]
//
// Weights that many products read (a loop's, a decoder's) are laid out once: a product of few rows
// would otherwise spend a third of its time on that. An element of y is the same to the bit for
// every M and every number of threads: sums over K are cut at places that depend on K alone.
#pragma once
#include "backends/onednn/kernels/types.h"

#include <cstddef>

namespace weft::onednn::kernels {

struct PackWeights {
  int64_t depth = 0, columns = 0;  // K, N
  const float* w = nullptr;        // element (k, n) at w[k*row + n*column]
  int64_t row = 0, column = 1;
  float* packed = nullptr;
};

struct PackedGemm {
  int64_t rows = 0, columns = 0, depth = 0;  // M, N, K
  const float* x = nullptr;
  int64_t ld_x = 0;
  const float* packed = nullptr;  // by pack_weights, on the same instruction set
  const float* add = nullptr;     // f32[M,N], may be y; null: nothing is added
  int64_t ld_add = 0;             // 0: one row for all, a bias
  bool relu = false;
  float* y = nullptr;
  int64_t ld_y = 0;
};

// Of the instruction set in use.
size_t packed_weights_bytes(int64_t depth, int64_t columns);
int64_t packed_weights_panel(const PackWeights& args);  // columns of a panel
void pack_weights(const PackWeights& args);
void packed_gemm(const PackedGemm& args);

}  // namespace weft::onednn::kernels
