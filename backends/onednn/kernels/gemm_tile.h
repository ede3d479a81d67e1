// backends/onednn/kernels/gemm_tile.h -- a tile of a matrix product in registers, and how a right
// operand is laid out for it.
//
// A tile of kRows x kPanel sums stays in registers while the left operand comes row by row and the
// right one panel by panel: kPanel columns, each row of a panel side by side. How large a tile is
// depends on the instruction set's registers (vec/). The steps over K are
// unrolled, since a core that shares its front end with another thread is short of instructions
// before it is short of multiply-adds.
//
// Operands are made of words (gemm_sizes.h): Singles and Pairs say how they are read, multiplied and
// laid out.
#pragma once
#include "backends/onednn/kernels/tile.h"
#include "backends/onednn/kernels/vec/bf16.h"

namespace weft::onednn::kernels::WEFT_ISA {

inline constexpr int kRows = kGemmTileRows;
inline constexpr int64_t kVectors = kGemmTileVectors;
inline constexpr int64_t kPanel = kVectors * kWidth, kUnrolled = 8;

// Cache lines to fetch while a tile is computed: `lines` of them, `step` bytes apart, in every
// kUnrolled steps over K, then `advance` bytes further on.
struct Ahead {
  const char* at;
  int64_t lines, step, advance;
};

struct Singles {
  using Element = float;
  static constexpr int64_t kOfWord = 1;

  WEFT_INLINE Vec word(const float* a) { return splat(*a); }
  WEFT_INLINE Vec last_word(const float* a, int64_t) { return splat(*a); }
  WEFT_INLINE Vec add_products(Vec a, Vec w, Vec sum) { return fma(a, w, sum); }
};

struct Pairs {
  using Element = uint16_t;
  static constexpr int64_t kOfWord = 2;

  WEFT_INLINE Vec word(const uint16_t* a) {
    int32_t pair;
    __builtin_memcpy(&pair, a, sizeof pair);
    return as_float(splat_int(pair));
  }
  // What lies behind an odd end is not read.
  WEFT_INLINE Vec last_word(const uint16_t* a, int64_t elements) {
    return elements == 2 ? word(a) : as_float(splat_int(*a));
  }
  WEFT_INLINE Vec add_products(Vec a, Vec w, Vec sum) {
    return add_pairs(sum, as_int(a), as_int(w));
  }
};

// c[M][columns] = act(a[M][depth] w[depth][columns] + bias + add), w a panel.
template <class Words>
struct Tile {
  int64_t depth;  // in words
  int64_t last;   // elements of the last word
  const typename Words::Element* a;
  int64_t ld_a;  // between rows in elements or, transposed, columns in words
  const float* w;
  const float* bias;  // may be null
  const float* add;   // may be c or null
  int64_t ld_add;
  float* c;
  int64_t ld_c;
  uint16_t* low;  // if not null, written instead of c
  int64_t ld_low;
  int64_t columns;
  bool relu;
  Ahead ahead;
};

// Of one word, the last of a row: its elements may be fewer.
template <class Words, int M, bool Transposed, bool Last = false>
WEFT_INLINE void tile_products(int64_t steps, const typename Words::Element* const* a, int64_t ld,
                               const float* w, Vec (&sum)[M][kVectors], int64_t last = 0) {
  constexpr int64_t n = Words::kOfWord;
#pragma GCC unroll 8
  for (int64_t k = 0; k < steps; ++k) {
    Vec row[kVectors];
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) row[v] = load(w + k * kPanel + v * kWidth);
#pragma GCC unroll 12
    for (int i = 0; i < M; ++i) {
      const auto* const at = Transposed ? a[0] + (k * ld + i) * n : a[i / 3] + i % 3 * ld + k * n;
      const Vec a_i = Last ? Words::last_word(at, last) : Words::word(at);
#pragma GCC unroll 3
      for (int v = 0; v < kVectors; ++v) sum[i][v] = Words::add_products(a_i, row[v], sum[i][v]);
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

template <class Words, int M, bool Part>
WEFT_INLINE void finish_tile(const Tile<Words>& t, Vec (&sum)[M][kVectors]) {
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
  if (t.low != nullptr)
    return for_vectors<M>([&](int i, int v) {
      uint16_t* const to = t.low + i * t.ld_low + v * kWidth;
      Part ? store_bf16(to, sum[i][v], n[v]) : store_bf16(to, sum[i][v]);
    });
  for_vectors<M>([&](int i, int v) {
    float* const to = t.c + i * t.ld_c + v * kWidth;
    Part ? store(to, sum[i][v], n[v]) : store(to, sum[i][v]);
  });
}

template <class Words, int M, bool Transposed>
[[gnu::noinline]] void multiply_tile(const Tile<Words>& t) {
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
  const int64_t step = (Transposed ? t.ld_a : 1) * Words::kOfWord;
  const typename Words::Element* a[kPointers];
#pragma GCC unroll 4
  for (int i = 0; i < kPointers; ++i) {
    a[i] = t.a + 3 * i * t.ld_a;
    asm("" : "+r"(a[i]));
  }
  const float* w = t.w;
  const char* ahead = t.ahead.at;
  const bool apart = !Transposed && t.last < Words::kOfWord;
  const int64_t whole = t.depth - (apart ? 1 : 0);
  int64_t k = 0;
  for (; k + kUnrolled <= whole; k += kUnrolled) {
#pragma clang loop unroll(disable)
    for (int64_t line = 0; line < t.ahead.lines; ++line)
      __builtin_prefetch(ahead + line * t.ahead.step, 0, 2);
    ahead += t.ahead.advance;
    tile_products<Words, M, Transposed>(kUnrolled, a, t.ld_a, w, sum);
    w += kUnrolled * kPanel;
#pragma GCC unroll 4
    for (int i = 0; i < kPointers; ++i) a[i] += kUnrolled * step;
  }
  for (; k < whole; ++k) {
    tile_products<Words, M, Transposed>(1, a, t.ld_a, w, sum);
    w += kPanel;
#pragma GCC unroll 4
    for (int i = 0; i < kPointers; ++i) a[i] += step;
  }
  if (apart) tile_products<Words, M, Transposed, true>(1, a, t.ld_a, w, sum, t.last);
  t.columns >= kPanel ? finish_tile<Words, M, false>(t, sum) : finish_tile<Words, M, true>(t, sum);
}

template <class Words, int M, bool Transposed>
WEFT_INLINE void tile_of(int64_t rows, const Tile<Words>& t) {
  if constexpr (M > 0) {
    if (rows == M) return multiply_tile<Words, M, Transposed>(t);
    tile_of<Words, M - 1, Transposed>(rows, t);
  }
}

// One panel of w[depth][n], element (k, j) at w[k*row + j*column]. Columns from n to `panel` are 0.
WEFT_INLINE void pack_panel(const float* w, int64_t row, int64_t column, int64_t depth, int64_t n,
                            float* to, int64_t panel = kPanel) {
  if (column == 1) {
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t v = 0; v < panel; v += kWidth)
        store(to + k * panel + v, n >= panel
                                      ? load(w + k * row + v)
                                      : load(w + k * row + v, larger(0, smaller(kWidth, n - v))));
  } else if (row == 1) {
    for (int64_t v = 0; v < panel; v += 8)
      for (int64_t k = 0; k < depth; k += 8)
        store_square(
            to + k * panel + v, panel, depth - k, 8,
            transposed(load_square(w + v * column + k, column, larger(0, n - v), depth - k)));
  } else {
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t v = 0; v < panel; ++v) to[k * panel + v] = v < n ? w[k * row + v * column] : 0;
  }
}

// Likewise of bf16, pairs of rows side by side.
WEFT_INLINE void pack_panel(const uint16_t* w, int64_t row, int64_t column, int64_t depth,
                            int64_t n, float* to) {
  const int64_t words = ceil_div(depth, 2), pairs = depth / 2;
  if (column == 1) {
    for (int64_t k = 0; k < words; ++k)
      for (int64_t v = 0; v < kPanel; v += kWidth) {
        const int64_t m = larger(0, smaller(kWidth, n - v));
        const auto half = [&](const uint16_t* x) {
          return m == kWidth ? load_halves(x + v) : load_halves(x + v, m);
        };
        const Int low = half(w + 2 * k * row);
        const Int high = k < pairs ? half(w + (2 * k + 1) * row) : splat_int(0);
        store(to + k * kPanel + v, as_float(low | (high << 16)));
      }
    return;
  }
  int64_t k = 0;                      // of words that are done
  if (row == 1 && column % 2 == 0) {  // pairs lie side by side
    const auto* const pair = reinterpret_cast<const float*>(w);
    pack_panel(pair, 1, column / 2, pairs, n, to);
    k = pairs;
  }
  auto* const halves = reinterpret_cast<uint16_t*>(to);
  for (; k < words; ++k)
    for (int64_t v = 0; v < kPanel; ++v)
      for (int64_t h = 0; h < 2; ++h)
        halves[(k * kPanel + v) * 2 + h] =
            v < n && 2 * k + h < depth ? w[(2 * k + h) * row + v * column] : 0;
}

// Pairs of floats as a word of bf16 each.
WEFT_INLINE Int pairs_of(Vec low, Vec high) {
  return (to_bf16(low) & splat_int(0xFFFF)) | (to_bf16(high) << 16);
}

// Likewise of floats, rounded to bf16.
WEFT_INLINE void pack_rounded_panel(const float* w, int64_t row, int64_t column, int64_t depth,
                                    int64_t n, float* to) {
  const int64_t words = ceil_div(depth, 2), pairs = depth / 2;
  if (column == 1) {
    for (int64_t k = 0; k < words; ++k)
      for (int64_t v = 0; v < kPanel; v += kWidth) {
        const int64_t m = larger(0, smaller(kWidth, n - v));
        const auto floats = [&](const float* x) {
          return m == kWidth ? load(x + v) : load(x + v, m);
        };
        const Vec high = k < pairs ? floats(w + (2 * k + 1) * row) : splat(0);
        store(to + k * kPanel + v, as_float(pairs_of(floats(w + 2 * k * row), high)));
      }
    return;
  }
  // Squares of 8 columns by 8 rows, turned, then two rows at a time.
  float square[8 * 8], few[kWidth] = {};
  for (int64_t v = 0; v < kPanel; v += 8)
    for (int64_t k = 0; k < depth; k += 8) {
      if (row == 1) {
        store_square(
            square, 8, 8, 8,
            transposed(load_square(w + v * column + k, column, larger(0, n - v), depth - k)));
      } else {
        for (int64_t i = 0; i < 8; ++i)
          for (int64_t j = 0; j < 8; ++j)
            square[i * 8 + j] =
                k + i < depth && v + j < n ? w[(k + i) * row + (v + j) * column] : 0;
      }
      for (int64_t i = 0; i < 8 && k + i < depth; i += 2) {
        store(few, as_float(pairs_of(load(square + i * 8, 8), load(square + (i + 1) * 8, 8))));
        __builtin_memcpy(to + (k + i) / 2 * kPanel + v, few, 8 * sizeof(float));
      }
    }
}

}  // namespace weft::onednn::kernels::WEFT_ISA
