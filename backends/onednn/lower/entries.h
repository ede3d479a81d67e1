// backends/onednn/lower/entries.h -- what entries of several files have in common.
#pragma once
#include "backends/onednn/lower/ops.h"

#include <span>

namespace weft::onednn {

constexpr Lowering elementwise(const ir::OpDef& op) {
  return {.op = &op,
          .lower = lower_elementwise,
          .operands = Layout::any,
          .results = Layout::any,
          .in_place = [](const ir::OpView&, int, int) { return true; },
          .groups = runs_as_program,
          .bounded = runs_as_program};
}

constexpr bool always(const ir::OpView&) { return true; }

constexpr Lowering view(const ir::OpDef& op,
                        std::optional<Tensor> (*as)(const ir::OpView&, const Tensor&)) {
  return {.op = &op,
          .lower = lower_view_copy,
          .operands = Layout::any,
          .results = Layout::any,
          .view = as};
}

// By file.
std::span<const Lowering> of_elementwise();
std::span<const Lowering> of_optimizer();
std::span<const Lowering> of_reduce();
std::span<const Lowering> of_attention();
std::span<const Lowering> of_pool();
std::span<const Lowering> of_shape();
std::span<const Lowering> of_convolution();
std::span<const Lowering> of_distance();
std::span<const Lowering> of_scan();
std::span<const Lowering> of_gather();
std::span<const Lowering> of_recurrent();
std::span<const Lowering> of_norm();
std::span<const Lowering> of_pack();
std::span<const Lowering> of_matmul();
std::span<const Lowering> of_loss();
std::span<const Lowering> of_softmax();
std::span<const Lowering> of_top_k();
std::span<const Lowering> of_random();
std::span<const Lowering> of_sort();

}  // namespace weft::onednn
