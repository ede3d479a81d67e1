// backends/onednn/kernels/gemm_sizes.h -- blocks of a matrix product.
#pragma once
#include <cstdint>

namespace weft::onednn::kernels {

// Of the sums over K, and so of a panel: it and the rows that meet it stay in the second-level
// cache.
inline constexpr int64_t kGemmDepth = 768;
// Panels laid out at a time, each thread its own: they stay in the third-level cache.
inline constexpr int64_t kGemmPanels = 24;

constexpr int64_t gemm_thread_floats(int64_t depth, int64_t columns, int64_t panel) {
  const int64_t panels = (columns + panel - 1) / panel;
  return (panels < kGemmPanels ? panels : kGemmPanels) * panel *
         (depth < kGemmDepth ? (depth + 15) / 16 * 16 : kGemmDepth);
}

}  // namespace weft::onednn::kernels
