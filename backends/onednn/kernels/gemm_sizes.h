// backends/onednn/kernels/gemm_sizes.h -- blocks of a matrix product.
#pragma once
#include "backends/onednn/kernels/gemm.h"

namespace weft::onednn::kernels {

// Of the sums over K, and so of a panel: it and the rows that meet it stay in the second-level
// cache.
inline constexpr int64_t kGemmDepth = 768;
// Panels laid out at a time, each thread its own: they stay in the third-level cache.
inline constexpr int64_t kGemmPanels = 24;
// Rows of a, read once per panel.
inline constexpr int64_t kGemmRows = 120;

// Whether a is laid out too, a block at a time: every step over K reads lines of its own, for which
// a multiple of 2 KB between them leaves a few sets of the caches only (a loss of a quarter).
constexpr bool lays_out_rows(const Gemm& g) {
  return g.packed == nullptr && g.a_column != 1 && g.a_column % 512 == 0;
}

constexpr int64_t gemm_depth(const Gemm& g) {
  return g.depth < kGemmDepth ? (g.depth + 15) / 16 * 16 : kGemmDepth;
}
constexpr int64_t gemm_panel_floats(const Gemm& g, int64_t panel) {
  const int64_t panels = (g.columns + panel - 1) / panel;
  return (panels < kGemmPanels ? panels : kGemmPanels) * panel * gemm_depth(g);
}
// The panels of one thread, and its block of a.
constexpr int64_t gemm_thread_floats(const Gemm& g, int64_t panel) {
  if (g.packed != nullptr) return 0;
  return gemm_panel_floats(g, panel) + (lays_out_rows(g) ? kGemmRows * gemm_depth(g) : 0);
}

}  // namespace weft::onednn::kernels
