// backends/onednn/kernels/tile.h -- products of small blocks in the cache, and their transposition.
//
// The micro-kernel keeps kTileRows x kLanes sums in registers. B and C are read a panel of kLanes
// columns at a time; A may lie transposed.
#pragma once
#include "backends/onednn/kernels/vec/vec.h"

namespace weft::onednn::kernels::WEFT_ISA {

inline constexpr int64_t kLanes = 2 * kWidth;

struct Matrix {  // element (i, j) at data[i*row + j*column]
  const float* data;
  int64_t row, column;
};

// c[M][n] (+)= a[M][depth] b[depth][n], n = kLanes unless Part.
template <int M, bool Add, bool Part>
WEFT_INLINE void micro(int64_t depth, Matrix a, const float* b, int64_t ld_b, float* c,
                       int64_t ld_c, int64_t n) {
  const int64_t n0 = smaller(n, kWidth), n1 = larger(0, n - kWidth);
  Vec sum[M][2];
#pragma GCC unroll 12
  for (int i = 0; i < M; ++i) {
    sum[i][0] = !Add ? splat(0) : Part ? load(c + i * ld_c, n0) : load(c + i * ld_c);
    sum[i][1] = !Add   ? splat(0)
                : Part ? load(c + i * ld_c + kWidth, n1)
                       : load(c + i * ld_c + kWidth);
  }
  // A pointer for every three rows, kept apart: the compiler would reach each row by an addition to
  // the one before, a chain longer than the products take.
  const float* x[(M + 2) / 3];
#pragma GCC unroll 4
  for (int i = 0; i < M; i += 3) {
    x[i / 3] = a.data + i * a.row;
    asm("" : "+r"(x[i / 3]));
  }
  for (int64_t k = 0; k < depth; ++k) {
    const Vec b0 = Part ? load(b, n0) : load(b),
              b1 = Part ? load(b + kWidth, n1) : load(b + kWidth);
#pragma GCC unroll 12
    for (int i = 0; i < M; ++i) {
      const Vec x_i = splat(x[i / 3][i % 3 * a.row]);
      sum[i][0] = fma(x_i, b0, sum[i][0]);
      sum[i][1] = fma(x_i, b1, sum[i][1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < M; i += 3) x[i / 3] += a.column;
    b += ld_b;
  }
#pragma GCC unroll 12
  for (int i = 0; i < M; ++i) {
    Part ? store(c + i * ld_c, sum[i][0], n0) : store(c + i * ld_c, sum[i][0]);
    Part ? store(c + i * ld_c + kWidth, sum[i][1], n1) : store(c + i * ld_c + kWidth, sum[i][1]);
  }
}

template <int M, bool Add, bool Part>
WEFT_INLINE void micro_rest(int64_t rows, int64_t depth, Matrix a, const float* b, int64_t ld_b,
                            float* c, int64_t ld_c, int64_t n) {
  if constexpr (M > 0) {
    if (rows == M) return micro<M, Add, Part>(depth, a, b, ld_b, c, ld_c, n);
    micro_rest<M - 1, Add, Part>(rows, depth, a, b, ld_b, c, ld_c, n);
  }
}

// One panel: c[rows][n] (+)= a[rows][depth] b[depth][n].
template <bool Add, bool Part = false>
[[gnu::noinline]] void multiply_panel(int64_t rows, int64_t depth, Matrix a, const float* b,
                                      int64_t ld_b, float* c, int64_t ld_c, int64_t n = kLanes) {
  int64_t i = 0;
  for (; i + kTileRows <= rows; i += kTileRows, a.data += kTileRows * a.row)
    micro<kTileRows, Add, Part>(depth, a, b, ld_b, c + i * ld_c, ld_c, n);
  micro_rest<kTileRows - 1, Add, Part>(rows - i, depth, a, b, ld_b, c + i * ld_c, ld_c, n);
}

// c[rows][columns] += a[rows][depth] b[depth][columns].
WEFT_INLINE void multiply_add(int64_t rows, int64_t columns, int64_t depth, Matrix a,
                              const float* b, int64_t ld_b, float* c, int64_t ld_c) {
  int64_t j = 0;
  for (; j + kLanes <= columns; j += kLanes)
    multiply_panel<true>(rows, depth, a, b + j, ld_b, c + j, ld_c);
  if (j < columns)
    multiply_panel<true, true>(rows, depth, a, b + j, ld_b, c + j, ld_c, columns - j);
}

// --- squares of 8 x 8, transposed in registers

struct Square {
  __m256 row[8];
};

WEFT_INLINE __m256i lanes8(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// The first rows x columns of it (at most 8 of each); the rest is 0.
WEFT_INLINE Square load_square(const float* x, int64_t ld, int64_t rows, int64_t columns) {
  Square s;
  if (rows >= 8 && columns >= 8) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) s.row[i] = _mm256_loadu_ps(x + i * ld);
    return s;
  }
  const __m256i lanes = lanes8(columns);
  for (int i = 0; i < 8; ++i)
    s.row[i] = i < rows ? _mm256_maskload_ps(x + i * ld, lanes) : _mm256_setzero_ps();
  return s;
}

// Of bf16.
WEFT_INLINE Square load_square(const uint16_t* x, int64_t ld, int64_t rows, int64_t columns) {
  Square s;
  for (int i = 0; i < 8; ++i) {
    uint16_t few[8] = {};
    for (int64_t c = 0; i < rows && columns < 8 && c < columns; ++c) few[c] = x[i * ld + c];
    const uint16_t* const from = i < rows && columns >= 8 ? x + i * ld : few;
    const __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)from));
    s.row[i] = _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
  }
  return s;
}

WEFT_INLINE void store_square(float* x, int64_t ld, int64_t rows, int64_t columns,
                              const Square& s) {
  if (rows >= 8 && columns >= 8) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) _mm256_storeu_ps(x + i * ld, s.row[i]);
    return;
  }
  const __m256i lanes = lanes8(columns);
  for (int i = 0; i < 8 && i < rows; ++i) _mm256_maskstore_ps(x + i * ld, lanes, s.row[i]);
}

WEFT_INLINE Square transposed(const Square& s) {
  __m256 a[8], b[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    a[2 * i] = _mm256_unpacklo_ps(s.row[2 * i], s.row[2 * i + 1]);
    a[2 * i + 1] = _mm256_unpackhi_ps(s.row[2 * i], s.row[2 * i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    b[4 * i] = _mm256_shuffle_ps(a[4 * i], a[4 * i + 2], 0x44);
    b[4 * i + 1] = _mm256_shuffle_ps(a[4 * i], a[4 * i + 2], 0xEE);
    b[4 * i + 2] = _mm256_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0x44);
    b[4 * i + 3] = _mm256_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0xEE);
  }
  Square t;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t.row[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
    t.row[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
  }
  return t;
}

// y[columns][kLanes] = factor * x[rows][columns] transposed, rows <= kLanes; lanes beyond are 0.
template <class T>
WEFT_INLINE void put_transposed(const T* x, int64_t ld, int64_t rows, int64_t columns, float factor,
                                float* y) {
  const __m256 by = _mm256_set1_ps(factor);
  for (int64_t r = 0; r < kLanes; r += 8)
    for (int64_t c = 0; c < columns; c += 8) {
      Square s = transposed(load_square(x + r * ld + c, ld, rows - r, columns - c));
      for (__m256& row : s.row) row = _mm256_mul_ps(row, by);
      store_square(y + c * kLanes + r, kLanes, columns - c, 8, s);
    }
}

// y[rows][columns] = factor[row] * x[columns][kLanes] transposed.
WEFT_INLINE void take_transposed(const float* x, int64_t ld_x, int64_t rows, int64_t columns,
                                 const float* factor, float* y, int64_t ld) {
  for (int64_t r = 0; r < rows; r += 8) {
    const __m256 by = _mm256_loadu_ps(factor + r);
    for (int64_t c = 0; c < columns; c += 8) {
      Square s = load_square(x + c * ld_x + r, ld_x, columns - c, 8);
      for (__m256& row : s.row) row = _mm256_mul_ps(row, by);
      store_square(y + r * ld + c, ld, rows - r, columns - c, transposed(s));
    }
  }
}

}  // namespace weft::onednn::kernels::WEFT_ISA
