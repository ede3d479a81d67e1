// backends/onednn/kernels/gemm.cpp -- see gemm.h.
#include "backends/onednn/kernels/gemm.h"

#include "backends/onednn/kernels/gemm_sizes.h"
#include "backends/onednn/kernels/gemm_tile.h"
#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

constexpr int64_t kRowBlock = 120;  // of a, read once per panel
constexpr int64_t kLine = 16;       // floats of a cache line

int64_t depth_of_block(int64_t depth) {
  const int64_t cuts = larger(1, ceil_div(depth, kGemmDepth));
  return larger(1, ceil_div(ceil_div(depth, cuts), kUnrolled)) * kUnrolled;
}

// Each thread computes one rectangle of c.
struct Grid {
  int64_t down, across;
};

// The one whose largest rectangle takes least time: its products, and laying out its part of b.
Grid grid_of(const Gemm& g, int64_t threads) {
  const int64_t lay_out =
      g.packed != nullptr ? 0 : 48;  // products an element of b takes the time of
  Grid best{1, 1};
  int64_t least = INT64_MAX;
  for (int64_t down = 1; down <= threads; ++down) {
    const int64_t across = threads / down;
    const int64_t rows = ceil_div(ceil_div(g.rows, kRows), down) * kRows;
    const int64_t columns = ceil_div(ceil_div(g.columns, kPanel), across) * kPanel;
    if (const int64_t cost = (rows + lay_out) * columns; cost < least)
      least = cost, best = {down, across};
  }
  return best;
}

// Tile `part` of `parts` fetches its share of the next panel while it is computed.
Ahead panel_ahead(const float* panel, int64_t depth, int64_t part, int64_t parts) {
  const Range mine = share(depth, part, parts);
  const int64_t lines =
      ceil_div((mine.end - mine.begin) * kPanel / kLine, larger(1, depth / kUnrolled));
  return {panel + mine.begin * kPanel, lines, kLine, lines * kLine};
}

// The same where the panel has yet to be laid out, from n columns of b.
Ahead columns_ahead(const Gemm& g, int64_t k, int64_t j, int64_t depth, int64_t part,
                    int64_t parts) {
  const int64_t n = smaller(kPanel, g.columns - j);
  const float* const from = g.b + k * g.b_row + j * g.b_column;
  if (g.b_column == 1) {  // one of each row's cache lines, in some of the rows
    const int64_t across = ceil_div(n, kLine), stacks = larger(1, parts / across);
    const Range mine = share(depth, smaller(part / across, stacks - 1), stacks);
    const int64_t lines = ceil_div(mine.end - mine.begin, larger(1, depth / kUnrolled));
    return {from + mine.begin * g.b_row + part % across * kLine, lines, g.b_row, lines * g.b_row};
  }
  const Range mine = share(n, part, parts);
  return {from + mine.begin * g.b_column, mine.end - mine.begin, g.b_column, kUnrolled};
}

void rectangle(const Gemm& g, Range rows, Range panels, float* space) {
  const int64_t depth = depth_of_block(g.depth);
  const int64_t blocks = ceil_div(rows.end - rows.begin, kRowBlock);
  const bool transposed = g.a_column != 1;
  const int64_t stretches = ceil_div(panels.end - panels.begin, kGemmPanels);
  for (int64_t stretch = 0; stretch < stretches; ++stretch) {
    const Range these = share(panels.end - panels.begin, stretch, stretches);
    const int64_t from = panels.begin + these.begin, to = panels.begin + these.end;
    for (int64_t k = 0; k == 0 || k < g.depth; k += depth) {
      const int64_t deep = smaller(depth, g.depth - k);
      const bool first = k == 0, last = k + depth >= g.depth;
      for (int64_t block = 0; block < blocks; ++block) {
        const Range mine = share(rows.end - rows.begin, block, blocks);
        const int64_t strips = ceil_div(mine.end - mine.begin, kRows);
        for (int64_t p = from; p < to; ++p) {
          const int64_t j = p * kPanel;
          float* const made = g.packed != nullptr ? nullptr : space + (p - from) * deep * kPanel;
          const float* const w = made == nullptr ? g.packed + (p * g.depth + k) * kPanel : made;
          if (made != nullptr && block == 0)
            pack_panel(g.b + k * g.b_row + j * g.b_column, g.b_row, g.b_column, deep,
                       smaller(kPanel, g.columns - j), made);
          for (int64_t s = 0; s < strips; ++s) {
            const Range strip = share(mine.end - mine.begin, s, strips);
            const int64_t i = rows.begin + mine.begin + strip.begin;
            float* const c = g.c + i * g.ld_c + j;
            Tile t{.depth = deep,
                   .a = g.a + i * g.a_row + k * g.a_column,
                   .ld_a = transposed ? g.a_column : g.a_row,
                   .w = w,
                   .bias = first && g.bias != nullptr ? g.bias + j : nullptr,
                   .add = !first             ? c
                          : g.add != nullptr ? g.add + i * g.ld_add + j
                                             : nullptr,
                   .ld_add = first ? g.ld_add : g.ld_c,
                   .c = c,
                   .ld_c = g.ld_c,
                   .columns = g.columns - j,
                   .relu = last && g.relu,
                   .ahead = {}};
            if (p + 1 < to)
              t.ahead = g.packed != nullptr ? panel_ahead(w + g.depth * kPanel, deep, s, strips)
                        : block > 0         ? panel_ahead(w + deep * kPanel, deep, s, strips)
                                            : columns_ahead(g, k, j + kPanel, deep, s, strips);
            transposed ? tile_of<kRows, true>(strip.end - strip.begin, t)
                       : tile_of<kRows, false>(strip.end - strip.begin, t);
          }
        }
      }
    }
  }
}

}  // namespace

void gemm(const Gemm& g) {
  if (g.rows == 0 || g.columns == 0) return;
  parallel(g.rows * g.columns * larger(1, g.depth) / kWidth, [&](int64_t thread, int64_t threads) {
    const Grid grid = grid_of(g, threads);
    if (thread >= grid.down * grid.across) return;
    const Range strips = share(ceil_div(g.rows, kRows), thread / grid.across, grid.down);
    float* const space = g.packed != nullptr
                             ? nullptr
                             : static_cast<float*>(g.workspace) +
                                   thread * gemm_thread_floats(g.depth, g.columns, kPanel);
    rectangle(g, {strips.begin * kRows, smaller(g.rows, strips.end * kRows)},
              share(ceil_div(g.columns, kPanel), thread % grid.across, grid.across), space);
  });
}

int64_t packed_weights_panel(const PackWeights&) { return kPanel; }

void pack_weights(const PackWeights& p) {
  const int64_t panels = ceil_div(p.columns, kPanel);
  parallel_for(panels, p.depth * kVectors, [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      const int64_t j = index * kPanel;
      pack_panel(p.w + j * p.column, p.row, p.column, p.depth, smaller(kPanel, p.columns - j),
                 p.packed + index * p.depth * kPanel);
    }
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
