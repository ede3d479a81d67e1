// backends/onednn/kernels/gemm_tile.h -- a tile of a matrix product in registers, and how a right
// operand is laid out for it.
//
// A tile of kRows x kPanel sums stays in registers while the left operand comes row by row and the
// right one panel by panel: kPanel columns, each row of a panel side by side. How large a tile is
// depends on the instruction set's registers (vec/). The steps over K are
// unrolled, since a core that shares its front end with another thread is short of instructions
// before it is short of multiply-adds.
#pragma once
#include "backends/onednn/kernels/tile.h"

namespace weft::onednn::kernels::WEFT_ISA {

inline constexpr int kRows = kGemmTileRows;
inline constexpr int64_t kVectors = kGemmTileVectors;
inline constexpr int64_t kPanel = kVectors * kWidth, kUnrolled = 8;

// Cache lines to fetch while a tile is computed: `lines` of them, `step` floats apart, in every
// kUnrolled steps over K, then `advance` floats further on.
struct Ahead {
  const float* at;
  int64_t lines, step, advance;
};

// c[M][columns] = act(a[M][depth] w[depth][columns] + bias + add), w a panel.
struct Tile {
  int64_t depth;
  const float* a;
  int64_t ld_a;  // between rows or, transposed, columns of a
  const float* w;
  const float* bias;  // may be null
  const float* add;   // may be c or null
  int64_t ld_add;
  float* c;
  int64_t ld_c;
  int64_t columns;
  bool relu;
  Ahead ahead;
};

template <int M, bool Transposed>
WEFT_INLINE void tile_products(int64_t steps, const float* const* a, int64_t ld, const float* w,
                               Vec (&sum)[M][kVectors]) {
#pragma GCC unroll 8
  for (int64_t k = 0; k < steps; ++k) {
    Vec row[kVectors];
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) row[v] = load(w + k * kPanel + v * kWidth);
#pragma GCC unroll 12
    for (int i = 0; i < M; ++i) {
      const Vec a_i = splat(Transposed ? a[0][k * ld + i] : a[i / 3][i % 3 * ld + k]);
#pragma GCC unroll 3
      for (int v = 0; v < kVectors; ++v) sum[i][v] = fma(a_i, row[v], sum[i][v]);
    }
  }
}

// each(i, v) for every vector of the tile.
template <int M, class Each>
WEFT_INLINE void for_vectors(const Each& each) {
#pragma GCC unroll 12
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) each(i, v);
}

template <int M, bool Part>
WEFT_INLINE void finish_tile(const Tile& t, Vec (&sum)[M][kVectors]) {
  int64_t n[kVectors];  // columns of each vector
#pragma GCC unroll 3
  for (int v = 0; v < kVectors; ++v) n[v] = larger(0, smaller(kWidth, t.columns - v * kWidth));
  const auto read = [&](const float* x, int v) {
    return Part ? load(x + v * kWidth, n[v]) : load(x + v * kWidth);
  };
  if (t.bias != nullptr) for_vectors<M>([&](int i, int v) { sum[i][v] += read(t.bias, v); });
  if (t.add != nullptr)
    for_vectors<M>([&](int i, int v) { sum[i][v] += read(t.add + i * t.ld_add, v); });
  if (t.relu) for_vectors<M>([&](int i, int v) { sum[i][v] = max(splat(0), sum[i][v]); });
  for_vectors<M>([&](int i, int v) {
    float* const to = t.c + i * t.ld_c + v * kWidth;
    Part ? store(to, sum[i][v], n[v]) : store(to, sum[i][v]);
  });
}

template <int M, bool Transposed>
[[gnu::noinline]] void multiply_tile(const Tile& t) {
  Vec sum[M][kVectors];
#pragma GCC unroll 12
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) {
      sum[i][v] = splat(0);
      // Into the second-level cache: rows of c a power of two apart have one set of the first.
      __builtin_prefetch(t.c + i * t.ld_c + v * kWidth, 0, 2);
    }
  // A pointer for every three rows, kept apart: see tile.h.
  constexpr int kPointers = Transposed ? 1 : (M + 2) / 3;
  const int64_t step = Transposed ? t.ld_a : 1;
  const float* a[kPointers];
#pragma GCC unroll 4
  for (int i = 0; i < kPointers; ++i) {
    a[i] = t.a + 3 * i * t.ld_a;
    asm("" : "+r"(a[i]));
  }
  const float *w = t.w, *ahead = t.ahead.at;
  int64_t k = 0;
  for (; k + kUnrolled <= t.depth; k += kUnrolled) {
#pragma clang loop unroll(disable)
    for (int64_t line = 0; line < t.ahead.lines; ++line)
      __builtin_prefetch(ahead + line * t.ahead.step, 0, 2);
    ahead += t.ahead.advance;
    tile_products<M, Transposed>(kUnrolled, a, t.ld_a, w, sum);
    w += kUnrolled * kPanel;
#pragma GCC unroll 4
    for (int i = 0; i < kPointers; ++i) a[i] += kUnrolled * step;
  }
  for (; k < t.depth; ++k) {
    tile_products<M, Transposed>(1, a, t.ld_a, w, sum);
    w += kPanel;
#pragma GCC unroll 4
    for (int i = 0; i < kPointers; ++i) a[i] += step;
  }
  t.columns >= kPanel ? finish_tile<M, false>(t, sum) : finish_tile<M, true>(t, sum);
}

template <int M, bool Transposed>
WEFT_INLINE void tile_of(int64_t rows, const Tile& t) {
  if constexpr (M > 0) {
    if (rows == M) return multiply_tile<M, Transposed>(t);
    tile_of<M - 1, Transposed>(rows, t);
  }
}

// One panel of w[depth][n], element (k, j) at w[k*row + j*column]. Columns from n on are 0.
WEFT_INLINE void pack_panel(const float* w, int64_t row, int64_t column, int64_t depth, int64_t n,
                            float* to) {
  if (column == 1) {
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t v = 0; v < kPanel; v += kWidth)
        store(to + k * kPanel + v, n >= kPanel
                                       ? load(w + k * row + v)
                                       : load(w + k * row + v, larger(0, smaller(kWidth, n - v))));
  } else if (row == 1) {
    for (int64_t v = 0; v < kPanel; v += 8)
      for (int64_t k = 0; k < depth; k += 8)
        store_square(
            to + k * kPanel + v, kPanel, depth - k, 8,
            transposed(load_square(w + v * column + k, column, larger(0, n - v), depth - k)));
  } else {
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t v = 0; v < kPanel; ++v) to[k * kPanel + v] = v < n ? w[k * row + v * column] : 0;
  }
}

}  // namespace weft::onednn::kernels::WEFT_ISA
