// backends/onednn/kernels/gemm_sizes.h -- blocks of a matrix product.
#pragma once
#include "backends/onednn/kernels/gemm.h"

namespace weft::onednn::kernels {

// A step over K takes a word of 4 bytes of a row: an f32, or a pair of bf16.
constexpr int64_t gemm_elements_of_word(DType dtype) { return dtype == DType::bf16 ? 2 : 1; }
constexpr int64_t gemm_words(int64_t depth, DType dtype) {
  const int64_t n = gemm_elements_of_word(dtype);
  return (depth + n - 1) / n;
}

// Of the sums over K in words, and so of a panel: it and the rows that meet it stay in the
// second-level cache.
inline constexpr int64_t kGemmDepth = 768;
// Panels laid out at a time, each thread its own: they stay in the third-level cache.
inline constexpr int64_t kGemmPanels = 24;
// Rows of a, read once per panel.
inline constexpr int64_t kGemmRows = 120;

constexpr int64_t packed_weights_words(const PackWeights& p) {  // of a column
  return (gemm_words(p.depth, p.dtype) + p.depth_step - 1) / p.depth_step * p.depth_step;
}

// Whether a is laid out too, a block at a time: columns of bf16, to bring pairs together; else where
// every step over K reads lines of its own, for which a multiple of 2 KB between them leaves a few
// sets of the caches only (a loss of a quarter).
constexpr bool lays_out_rows(const Gemm& g) {
  if (g.a_column == 1) return false;
  return g.dtype == DType::bf16 || (g.packed == nullptr && g.a_column % 512 == 0);
}

constexpr int64_t gemm_depth(const Gemm& g) {  // in words
  const int64_t words = gemm_words(g.depth, g.dtype);
  return words < kGemmDepth ? (words + 15) / 16 * 16 : kGemmDepth;
}
constexpr int64_t gemm_panel_floats(const Gemm& g, int64_t panel) {
  const int64_t panels = (g.columns + panel - 1) / panel;
  return (panels < kGemmPanels ? panels : kGemmPanels) * panel * gemm_depth(g);
}
// The panels of one thread, and its block of a.
constexpr int64_t gemm_thread_floats(const Gemm& g, int64_t panel) {
  return (g.packed == nullptr ? gemm_panel_floats(g, panel) : 0) +
         (lays_out_rows(g) ? kGemmRows * gemm_depth(g) : 0);
}

}  // namespace weft::onednn::kernels
