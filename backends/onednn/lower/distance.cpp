// backends/onednn/lower/distance.cpp -- values by distance are a view, rows of which overlap; their
// sums are made one diagonal after the other.
//
// Attention reads and makes neither (attention {by_distance}): these are for graphs that do not fuse.
#include "ir/ops/distance.h"

#include "backends/onednn/lower/attention_operands.h"
#include "backends/onednn/lower/entries.h"

namespace weft::onednn {

Tensor seen_by_distance(const Tensor& x, int64_t queries) {
  Tensor y = x;
  const int64_t step = x.stride(-1), keys = x.dim(-1) - queries + 1;
  y.dims.back() = queries, y.strides.back() = -step;
  y.dims.push_back(keys), y.strides.push_back(step);
  y.at.offset += (queries - 1) * step * x.element_bytes();
  return y;
}

namespace {

std::optional<Tensor> view_by_distance(const ir::OpView& op, const Tensor& x) {
  return seen_by_distance(x, *op.dim("queries").constant());
}

void lower_sum(Emit& e) {
  e.needs_arithmetic(e.in(0).dtype);
  const Tensor y = e.in(0), x = e.out();
  const int64_t queries = y.dim(-2), keys = y.dim(-1), all = x.dim(-1);
  int64_t outer = 1;
  for (int d = 0; d + 2 < y.rank(); ++d) outer *= y.dim(d);
  e.kernel("sum_by_distance", 0, [=](const Run& run) {
    for (int64_t o = 0; o < outer; ++o) {
      const float* from = run.at<float>(y.at) + o * queries * keys;
      float* to = run.at<float>(x.at) + o * all;
      for (int64_t d = 0; d < all; ++d) {
        double sum = 0;
        const int64_t first = d < queries ? queries - 1 - d : 0;  // j = t + d - queries + 1 >= 0
        for (int64_t t = first, j = t + d - queries + 1; t < queries && j < keys; ++t, ++j)
          sum += static_cast<double>(from[t * keys + j]);
        to[d] = static_cast<float>(sum);
      }
    }
  });
}

constexpr Lowering kLowerings[] = {
    view(ir::ops::by_distance, view_by_distance),
    {.op = &ir::ops::sum_by_distance, .lower = lower_sum},
};

}  // namespace

std::span<const Lowering> of_distance() { return kLowerings; }

}  // namespace weft::onednn
