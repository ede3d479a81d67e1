// backends/onednn/kernels/gemm.h -- a matrix product whose sizes are known when it is called.
//
//   pack_weights:  w: T[K,N] -> panels of columns, each row of a panel side by side
//   gemm:          c = act(a b + bias + add)          a: T[M,K], b: T[K,N] -> c: f32[M,N]
//
// T is f32 or bf16, whose products are added up in f32, two of neighbours in K at a time
// (vec/bf16.h): what is laid out then are pairs of rows, and K counts pairs.
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
  DType dtype = DType::f32;        // or bf16
  bool rounds = false;             // w is f32 and rounded to bf16 on the way
  int64_t depth = 0, columns = 0;  // K, N
  const void* w = nullptr;         // element (k, n) at w[k*row + n*column]
  int64_t row = 0, column = 1;
  void* packed = nullptr;
  // Of f32 for products that are not gemm's: columns of a panel, a multiple of a vector's lanes (0:
  // gemm's), and what its depth is a multiple of, filled up with zeros.
  int64_t panel = 0, depth_step = 1;
};

struct Gemm {
  DType dtype = DType::f32;                  // of a and b, or bf16
  bool rounds = false;                       // b is f32 and rounded to bf16 when it is laid out
  int64_t rows = 0, columns = 0, depth = 0;  // M, N, K
  const void* a = nullptr;                   // element (i, k) at a[i*a_row + k*a_column]
  int64_t a_row = 0, a_column = 1;           // one of them is 1
  const void* b = nullptr;                   // element (k, j) at b[k*b_row + j*b_column]
  int64_t b_row = 0, b_column = 1;
  const void* packed = nullptr;  // b by pack_weights, on the same instruction set; b is not read
  const float* bias = nullptr;   // f32[N] or null
  const float* add = nullptr;    // f32[M,N], may be c, or null
  int64_t ld_add = 0;
  bool relu = false;
  float* c = nullptr;  // may be null with `low`, unless gemm_sums_in_pieces
  int64_t ld_c = 0;
  uint16_t* low = nullptr;  // or null: the result rounded to bf16, in c's place
  int64_t ld_low = 0;
  void* workspace = nullptr;  // null if packed
};

// Of the instruction set in use.
size_t packed_weights_bytes(int64_t depth, int64_t columns, DType dtype = DType::f32);
int64_t packed_weights_panel(const PackWeights& args);  // columns of a panel
void pack_weights(const PackWeights& args);

// Whether sums over K are kept in c until the last of their pieces.
bool gemm_sums_in_pieces(const Gemm& args);

// Of the sizes, or larger ones, and a's strides.
size_t gemm_workspace_bytes(const Gemm& args);
void gemm(const Gemm& args);

}  // namespace weft::onednn::kernels
