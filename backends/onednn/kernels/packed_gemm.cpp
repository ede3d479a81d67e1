// backends/onednn/kernels/packed_gemm.cpp -- see packed_gemm.h.
//
// A tile of kRows x kPanel sums stays in registers while x comes row by row and the weights panel
// by panel: 4 rows x 3 vectors need 7 loads for 12 multiply-adds, the fewest that 16 registers
// allow, and the steps over K are unrolled, since a core that shares its front end with another
// thread is short of instructions before it is short of multiply-adds.
#include "backends/onednn/kernels/packed_gemm.h"

#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"
#include "backends/onednn/kernels/tile.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

constexpr int64_t kVectors = 3, kPanel = kVectors * kWidth, kUnrolled = 8;
#if defined(__AVX512F__)
constexpr int kRows = 8;
#else
constexpr int kRows = 4;
#endif
constexpr int64_t kDepth = 512;     // of a panel in the second-level cache
constexpr int64_t kRowBlock = 128;  // rows of x, likewise
constexpr int64_t kLine = 16;       // floats of a cache line

struct Tile {
  int64_t depth;
  const float* x;
  int64_t ld_x;
  const float* w;
  const float* add;
  int64_t ld_add;
  float* y;
  int64_t ld_y;
  int64_t columns;
  bool relu;
  const float* ahead;  // what is read next: its share of this tile is fetched meanwhile,
  int64_t lines;       // so many cache lines in kUnrolled steps
};

template <int M>
WEFT_INLINE void products(int64_t steps, const float* const* x, int64_t ld, const float* w,
                          Vec (&sum)[M][kVectors]) {
#pragma GCC unroll 8
  for (int64_t k = 0; k < steps; ++k) {
    Vec row[kVectors];
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) row[v] = load(w + k * kPanel + v * kWidth);
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) {
      const Vec x_i = splat(x[i / 3][i % 3 * ld + k]);
#pragma GCC unroll 3
      for (int v = 0; v < kVectors; ++v) sum[i][v] = fma(x_i, row[v], sum[i][v]);
    }
  }
}

template <int M, bool Part>
WEFT_INLINE void finish(const Tile& t, Vec (&sum)[M][kVectors]) {
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) {
      const int64_t at = v * kWidth, n = larger(0, smaller(kWidth, t.columns - at));
      Vec y = sum[i][v];
      if (t.add != nullptr) {
        const float* const add = t.add + i * t.ld_add + at;
        y += Part ? load(add, n) : load(add);
      }
      if (t.relu) y = max(splat(0), y);
      float* const to = t.y + i * t.ld_y + at;
      Part ? store(to, y, n) : store(to, y);
    }
}

template <int M>
[[gnu::noinline]] void tile(const Tile& t) {
  Vec sum[M][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) sum[i][v] = splat(0);
  // A pointer for every three rows, kept apart: see tile.h.
  const float* x[(M + 2) / 3];
#pragma GCC unroll 3
  for (int i = 0; i < M; i += 3) {
    x[i / 3] = t.x + i * t.ld_x;
    asm("" : "+r"(x[i / 3]));
  }
  const float *w = t.w, *ahead = t.ahead;
  int64_t k = 0;
  for (; k + kUnrolled <= t.depth; k += kUnrolled) {
    for (int64_t line = 0; line < t.lines; ++line, ahead += kLine) __builtin_prefetch(ahead, 0, 2);
    products<M>(kUnrolled, x, t.ld_x, w, sum);
    w += kUnrolled * kPanel;
#pragma GCC unroll 3
    for (int i = 0; i < M; i += 3) x[i / 3] += kUnrolled;
  }
  for (; k < t.depth; ++k) {
    products<M>(1, x, t.ld_x, w, sum);
    w += kPanel;
#pragma GCC unroll 3
    for (int i = 0; i < M; i += 3) x[i / 3] += 1;
  }
  t.columns >= kPanel ? finish<M, false>(t, sum) : finish<M, true>(t, sum);
}

template <int M>
WEFT_INLINE void tile_of(int64_t rows, const Tile& t) {
  if constexpr (M > 0) {
    if (rows == M) return tile<M>(t);
    tile_of<M - 1>(rows, t);
  }
}

// Columns of one panel, in rows [from, to).
void panel(const PackedGemm& g, int64_t index, int64_t from, int64_t to) {
  const int64_t j = index * kPanel, cuts = ceil_div(g.depth, kDepth);
  const int64_t block = ceil_div(ceil_div(g.depth, cuts), kUnrolled) * kUnrolled;
  const int64_t strips = ceil_div(to - from, kRows);
  const int64_t lines = ceil_div(kUnrolled * kPanel / kLine, strips);
  for (int64_t k = 0; k < g.depth; k += block) {
    const bool first = k == 0, last = k + block >= g.depth;
    const float* const w = g.packed + (index * g.depth + k) * kPanel;
    const float* const next = w + smaller(block, g.depth - k) * kPanel;  // or the next panel's
    for (int64_t s = 0; s < strips; ++s) {
      const Range mine = share(to - from, s, strips);
      const int64_t i = from + mine.begin;
      float* const y = g.y + i * g.ld_y + j;
      const float* const add = g.add != nullptr ? g.add + i * g.ld_add + j : nullptr;
      tile_of<kRows>(mine.end - mine.begin,
                     {.depth = smaller(block, g.depth - k),
                      .x = g.x + i * g.ld_x + k,
                      .ld_x = g.ld_x,
                      .w = w,
                      .add = first ? add : y,
                      .ld_add = first ? g.ld_add : g.ld_y,
                      .y = y,
                      .ld_y = g.ld_y,
                      .columns = g.columns - j,
                      .relu = last && g.relu,
                      .ahead = next + s * lines * kLine * (block / kUnrolled),
                      .lines = lines});
    }
  }
}

// More than a twentieth of the threads' time is lost if so many units are shared out.
bool uneven(int64_t units, int64_t threads) {
  return 20 * (ceil_div(units, threads) * threads - units) > units;
}

}  // namespace

void packed_gemm(const PackedGemm& g) {
  if (g.rows == 0 || g.columns == 0) return;
  const int64_t panels = ceil_div(g.columns, kPanel);
  parallel(g.rows * g.columns * g.depth / kWidth, [&](int64_t thread, int64_t threads) {
    for (int64_t from = 0; from < g.rows; from += kRowBlock) {
      const int64_t rows = smaller(kRowBlock, g.rows - from);
      // Rows are divided too where panels alone would leave threads with nothing to do.
      const int64_t strips = ceil_div(rows, kRows);
      int64_t parts = 1;
      while (parts < strips && uneven(panels * parts, threads)) ++parts;
      const Range mine = share(panels * parts, thread, threads);
      for (int64_t u = mine.begin; u < mine.end; ++u) {
        const Range r = share(rows, u % parts, parts);
        panel(g, u / parts, from + r.begin, from + r.end);
      }
    }
  });
}

int64_t packed_weights_panel(const PackWeights&) { return kPanel; }

void pack_weights(const PackWeights& p) {
  const int64_t panels = ceil_div(p.columns, kPanel);
  parallel_for(panels, p.depth * kVectors, [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      const int64_t j = index * kPanel, n = smaller(kPanel, p.columns - j);
      const float* const w = p.w + j * p.column;
      float* const to = p.packed + index * p.depth * kPanel;
      if (p.column == 1) {
        for (int64_t k = 0; k < p.depth; ++k)
          for (int64_t v = 0; v < kPanel; v += kWidth)
            store(to + k * kPanel + v, load(w + k * p.row + v, larger(0, smaller(kWidth, n - v))));
      } else if (p.row == 1) {
        for (int64_t v = 0; v < kPanel; v += 8)
          for (int64_t k = 0; k < p.depth; k += 8)
            store_square(to + k * kPanel + v, kPanel, p.depth - k, 8,
                         transposed(load_square(w + v * p.column + k, p.column, larger(0, n - v),
                                                p.depth - k)));
      } else {
        for (int64_t k = 0; k < p.depth; ++k)
          for (int64_t v = 0; v < kPanel; ++v)
            to[k * kPanel + v] = v < n ? w[k * p.row + v * p.column] : 0;
      }
    }
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
