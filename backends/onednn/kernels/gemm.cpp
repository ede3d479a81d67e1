// backends/onednn/kernels/gemm.cpp -- see gemm.h.
#include "backends/onednn/kernels/gemm.h"

#include "backends/onednn/kernels/gemm_sizes.h"
#include "backends/onednn/kernels/gemm_tile.h"
#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

constexpr int64_t kLine = 16;  // words of a cache line
constexpr int64_t kWordBytes = 4, kLineBytes = kLine * kWordBytes;
// Rows of a thread while whose products the weights for them arrive.
constexpr int64_t kRowsApart = 48;

// In words.
int64_t depth_of_block(int64_t depth) {
  const int64_t cuts = larger(1, ceil_div(depth, kGemmDepth));
  return larger(1, ceil_div(ceil_div(depth, cuts), kUnrolled)) * kUnrolled;
}

// Each thread computes one rectangle of c.
struct Grid {
  int64_t down, across;
};

// The one whose largest rectangle takes least time: its products, and laying out its part of b.
// Packed weights are read by every thread that has rows of its own: where it has enough of them,
// that costs nothing, and what comes before and after a product is divided by rows too, so that
// they stay in their thread's caches.
Grid grid_of(const Gemm& g, int64_t threads) {
  const bool packed = g.packed != nullptr;
  // Products an element of b takes the time of.
  const int64_t lay_out = packed ? 0 : g.dtype == DType::bf16 ? 96 : 48;
  Grid best{1, 1};
  int64_t least = INT64_MAX;
  for (int64_t down = 1; down <= threads; ++down) {
    const int64_t across = threads / down;
    int64_t rows =
        packed ? ceil_div(g.rows, down) : ceil_div(ceil_div(g.rows, kRows), down) * kRows;
    if (packed && down > 1) rows += rows >= kRowsApart ? -1 : kRowsApart;
    const int64_t columns = ceil_div(ceil_div(g.columns, kPanel), across) * kPanel;
    if (const int64_t cost = (rows + lay_out) * columns; cost < least)
      least = cost, best = {down, across};
  }
  return best;
}

// As other kernels divide them, or whole strips where b is laid out for them.
Range rows_of(const Gemm& g, int64_t part, int64_t parts) {
  if (g.packed != nullptr) return share(g.rows, part, parts);
  const Range strips = share(ceil_div(g.rows, kRows), part, parts);
  return {strips.begin * kRows, smaller(g.rows, strips.end * kRows)};
}

// Tile `part` of `parts` fetches its share of the next panel while it is computed.
Ahead panel_ahead(const float* panel, int64_t depth, int64_t part, int64_t parts) {
  const Range mine = share(depth, part, parts);
  const int64_t lines =
      ceil_div((mine.end - mine.begin) * kPanel / kLine, larger(1, depth / kUnrolled));
  return {reinterpret_cast<const char*>(panel + mine.begin * kPanel), lines, kLineBytes,
          lines * kLineBytes};
}

// The same where the panel has yet to be laid out, from n columns of b; k and depth in elements.
Ahead columns_ahead(const Gemm& g, int64_t k, int64_t j, int64_t depth, int64_t part,
                    int64_t parts) {
  const int64_t n = smaller(kPanel, g.columns - j), size = bytes(g.rounds ? DType::f32 : g.dtype);
  const int64_t line = kLineBytes / size, of_word = gemm_elements_of_word(g.dtype);
  const int64_t rounds = larger(1, depth / (kUnrolled * of_word));
  const auto* const from = static_cast<const char*>(g.b) + (k * g.b_row + j * g.b_column) * size;
  if (g.b_column == 1) {  // one of each row's cache lines, in some of the rows
    const int64_t across = ceil_div(n, line), stacks = larger(1, parts / across);
    const Range mine = share(depth, smaller(part / across, stacks - 1), stacks);
    const int64_t lines = ceil_div(mine.end - mine.begin, rounds), row = g.b_row * size;
    return {from + mine.begin * row + part % across * kLineBytes, lines, row, lines * row};
  }
  const Range mine = share(n, part, parts);
  const int64_t column = g.b_column * size;
  return {from + mine.begin * column, mine.end - mine.begin, column, kUnrolled * kWordBytes};
}

static_assert(kRows <= kWidth);

// Rows that are columns of memory, in strips: what a step over K reads of a strip side by side. Depth
// in elements.
void lay_out_rows(const float* a, int64_t column, int64_t rows, int64_t strips, int64_t depth,
                  float* to) {
  Range strip[kGemmRows / kRows];
  for (int64_t s = 0; s < strips; ++s) strip[s] = share(rows, s, strips);
  for (int64_t k = 0; k < depth; ++k) {
    const float* const from = a + k * column;
    for (int64_t i = 0; i < rows; i += kLine) __builtin_prefetch(from + 8 * column + i);
    for (int64_t s = 0; s < strips; ++s) {
      const int64_t n = strip[s].end - strip[s].begin;
      store(to + (s * depth + k) * kRows, load(from + strip[s].begin, n), n);
    }
  }
}

// Pairs of bf16; beyond an odd end zeros.
void lay_out_rows(const uint16_t* a, int64_t column, int64_t rows, int64_t strips, int64_t depth,
                  float* to) {
  Range strip[kGemmRows / kRows];
  for (int64_t s = 0; s < strips; ++s) strip[s] = share(rows, s, strips);
  const int64_t words = ceil_div(depth, 2);
  for (int64_t k = 0; k < words; ++k) {
    const uint16_t *const low = a + 2 * k * column, *const high = low + column;
    for (int64_t i = 0; i < rows; i += 2 * kLine) {
      __builtin_prefetch(low + 8 * column + i);
      __builtin_prefetch(high + 8 * column + i);
    }
    const bool both = 2 * k + 1 < depth;
    for (int64_t s = 0; s < strips; ++s) {
      const int64_t at = strip[s].begin, n = strip[s].end - at;
      const Int upper = both ? load_halves(high + at, n) : splat_int(0);
      store(to + (s * words + k) * kRows, as_float(load_halves(low + at, n) | (upper << 16)), n);
    }
  }
}

// What a thread does of c.
template <class Words>
class Rectangle {
 public:
  using Element = typename Words::Element;

  Rectangle(const Gemm& g, Range rows, Range panels, float* space)
      : g_(g), rows_(rows), panels_(panels), made_panels_(space) {
    if (lays_out_rows(g)) made_rows_ = space + (packed() ? 0 : gemm_panel_floats(g, kPanel));
  }

  void run() const {
    const int64_t words = gemm_words(g_.depth, g_.dtype), depth = depth_of_block(words);
    const int64_t blocks = ceil_div(rows_.end - rows_.begin, kGemmRows);
    const int64_t stretches = ceil_div(panels_.end - panels_.begin, kGemmPanels);
    for (int64_t stretch = 0; stretch < stretches; ++stretch) {
      const Range these = share(panels_.end - panels_.begin, stretch, stretches);
      for (int64_t k = 0; k == 0 || k < words; k += depth)
        for (int64_t block = 0; block < blocks; ++block) {
          const Range mine = share(rows_.end - rows_.begin, block, blocks);
          tiles({rows_.begin + mine.begin, rows_.begin + mine.end},
                {panels_.begin + these.begin, panels_.begin + these.end}, k,
                smaller(depth, words - k), block == 0);
        }
    }
  }

 private:
  bool packed() const { return g_.packed != nullptr; }
  const Element* a_at(int64_t i, int64_t k) const {  // in elements
    return static_cast<const Element*>(g_.a) + i * g_.a_row + k * g_.a_column;
  }
  void make_panel(int64_t k, int64_t j, int64_t depth, float* to) const {  // in elements
    const int64_t at = k * g_.b_row + j * g_.b_column, n = smaller(kPanel, g_.columns - j);
    if (g_.rounds)
      return pack_rounded_panel(static_cast<const float*>(g_.b) + at, g_.b_row, g_.b_column, depth,
                                n, to);
    pack_panel(static_cast<const Element*>(g_.b) + at, g_.b_row, g_.b_column, depth, n, to);
  }

  // The first block of rows lays out the panels on the way. From word k on, `depth` of them.
  void tiles(Range rows, Range panels, int64_t k, int64_t depth, bool first_block) const {
    const int64_t height = rows.end - rows.begin, strips = ceil_div(height, kRows);
    const int64_t first = k * Words::kOfWord,  // in elements
        elements = smaller(depth * Words::kOfWord, g_.depth - first);
    const bool lay_out = !packed() && first_block;
    if (made_rows_ != nullptr)
      lay_out_rows(a_at(rows.begin, first), g_.a_column, height, strips, elements, made_rows_);
    for (int64_t p = panels.begin; p < panels.end; ++p) {
      const int64_t j = p * kPanel;
      const int64_t made_at = (p - panels.begin) * depth * kPanel;
      if (lay_out) make_panel(first, j, elements, made_panels_ + made_at);
      const int64_t whole = gemm_words(g_.depth, g_.dtype);
      const float* const w = packed()
                                 ? static_cast<const float*>(g_.packed) + (p * whole + k) * kPanel
                                 : made_panels_ + made_at;
      for (int64_t s = 0; s < strips; ++s) {
        const Range strip = share(height, s, strips);
        Tile<Words> t = tile(rows.begin + strip.begin, j, k, depth);
        t.w = w;
        if (made_rows_ != nullptr) {
          t.a = reinterpret_cast<const Element*>(made_rows_ + s * depth * kRows);
          t.ld_a = kRows;
        }
        if (p + 1 < panels.end)
          t.ahead = lay_out
                        ? columns_ahead(g_, first, j + kPanel, elements, s, strips)
                        : panel_ahead(w + (packed() ? whole : depth) * kPanel, depth, s, strips);
        g_.a_column != 1 ? tile_of<Words, kRows, true>(strip.end - strip.begin, t)
                         : tile_of<Words, kRows, false>(strip.end - strip.begin, t);
      }
    }
  }

  Tile<Words> tile(int64_t i, int64_t j, int64_t k, int64_t depth) const {
    float* const c = g_.c + i * g_.ld_c + j;
    const int64_t end = (k + depth) * Words::kOfWord;
    const bool first = k == 0, last = end >= g_.depth;
    return {.depth = depth,
            .last = Words::kOfWord - (last ? end - g_.depth : 0),
            .a = a_at(i, k * Words::kOfWord),
            .ld_a = g_.a_column == 1 ? g_.a_row : g_.a_column,
            .w = nullptr,
            .bias = first && g_.bias != nullptr ? g_.bias + j : nullptr,
            .add = !first              ? c
                   : g_.add != nullptr ? g_.add + i * g_.ld_add + j
                                       : nullptr,
            .ld_add = first ? g_.ld_add : g_.ld_c,
            .c = c,
            .ld_c = g_.ld_c,
            .low = last && g_.low != nullptr ? g_.low + i * g_.ld_low + j : nullptr,
            .ld_low = g_.ld_low,
            .columns = g_.columns - j,
            .relu = last && g_.relu,
            .ahead = {}};
  }

  const Gemm& g_;
  const Range rows_, panels_;
  float *const made_panels_, *made_rows_ = nullptr;
};

template <class Words>
void multiply(const Gemm& g, int64_t thread, int64_t threads) {
  const Grid grid = grid_of(g, threads);
  if (thread >= grid.down * grid.across) return;
  float* const space = g.workspace == nullptr ? nullptr
                                              : static_cast<float*>(g.workspace) +
                                                    thread * gemm_thread_floats(g, kPanel);
  const Rectangle<Words> mine(g, rows_of(g, thread / grid.across, grid.down),
                              share(ceil_div(g.columns, kPanel), thread % grid.across, grid.across),
                              space);
  mine.run();
}

int64_t panel_of(const PackWeights& p) { return p.panel == 0 ? kPanel : p.panel; }

template <class Element, class Pack>
void pack_panels(const PackWeights& p, const Pack& pack) {
  const int64_t panel = panel_of(p), panels = ceil_div(p.columns, panel),
                words = packed_weights_words(p);
  const auto* const w = static_cast<const Element*>(p.w);
  parallel_for(panels, p.depth * panel / kWidth, [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      const int64_t j = index * panel;
      auto* const to = static_cast<float*>(p.packed) + index * words * panel;
      pack(w + j * p.column, p.row, p.column, p.depth, smaller(panel, p.columns - j), to);
      for (int64_t i = gemm_words(p.depth, p.dtype) * panel; i < words * panel; ++i) to[i] = 0;
    }
  });
}

}  // namespace

void gemm(const Gemm& g) {
  if (g.rows == 0 || g.columns == 0) return;
  const int64_t words = gemm_words(g.depth, g.dtype);
  parallel(g.rows * g.columns * larger(1, words) / kWidth, [&](int64_t thread, int64_t threads) {
    g.dtype == DType::bf16 ? multiply<Pairs>(g, thread, threads)
                           : multiply<Singles>(g, thread, threads);
  });
}

int64_t packed_weights_panel(const PackWeights& p) { return panel_of(p); }

void pack_weights(const PackWeights& p) {
  if (p.panel != 0)
    return pack_panels<float>(p, [&](auto... of_panel) { pack_panel(of_panel..., p.panel); });
  const auto pack = [](auto... of_panel) { pack_panel(of_panel...); };
  if (p.dtype == DType::f32) return pack_panels<float>(p, pack);
  if (!p.rounds) return pack_panels<uint16_t>(p, pack);
  pack_panels<float>(p, [](auto... of_panel) { pack_rounded_panel(of_panel...); });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
