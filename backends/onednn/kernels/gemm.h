// backends/onednn/kernels/gemm.h -- a matrix product whose sizes are known when it is called.
//
//   pack_weights:  w: f32[K,N] -> panels of columns, each row of a panel side by side
//   gemm:          c = act(a b + bias + add)          a: f32[M,K], b: f32[K,N] -> c: f32[M,N]
//
// The blocks of Goto and van de Geijn ("Anatomy of High-Performance Matrix Multiplication", 2008):
// b is laid out in panels a block at a time, a is read again and again from the second-level cache:
// where it lies, but for columns of it that lie a power of two apart, which are laid out too.
// Weights that many products read (a loop's, a decoder's) are laid out once by pack_weights: a
// product of few rows would otherwise spend a third of its time on that.
//
// An element of c is the same to the bit for every M and N and number of threads, packed or not:
// the sums over K are cut at places that depend on K alone.
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

struct Gemm {
  int64_t rows = 0, columns = 0, depth = 0;  // M, N, K
  const float* a = nullptr;                  // element (i, k) at a[i*a_row + k*a_column]
  int64_t a_row = 0, a_column = 1;           // one of them is 1
  const float* b = nullptr;                  // element (k, j) at b[k*b_row + j*b_column]
  int64_t b_row = 0, b_column = 1;
  const float* packed = nullptr;  // b by pack_weights, on the same instruction set; b is not read
  const float* bias = nullptr;    // f32[N] or null
  const float* add = nullptr;     // f32[M,N], may be c, or null
  int64_t ld_add = 0;
  bool relu = false;
  float* c = nullptr;
  int64_t ld_c = 0;
  void* workspace = nullptr;  // null if packed
};

// Of the instruction set in use.
size_t packed_weights_bytes(int64_t depth, int64_t columns);
int64_t packed_weights_panel(const PackWeights& args);  // columns of a panel
void pack_weights(const PackWeights& args);

// Of the sizes, or larger ones, and a's strides.
size_t gemm_workspace_bytes(const Gemm& args);
void gemm(const Gemm& args);

}  // namespace weft::onednn::kernels
