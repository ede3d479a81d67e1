// backends/onednn/lower/top_k.cpp -- the greatest elements of the last axis, log-softmax or not.
#include "backends/onednn/kernels/top_k.h"

#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "backends/onednn/plan/moves.h"
#include "ir/ops/all.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weft::onednn {
namespace {

// Dtypes the kernel does not know: every row's positions sorted.
void emit_plain(Emit& e, const Tensor& x, int64_t rows, int64_t n, int64_t k) {
  const Tensor order = e.temporary(ir::DType::s32, {n});
  const Tensor values = e.out(0), indices = e.out(1);
  e.kernel("top_k, plain", 0, [=](const Run& run) {
    auto* const at = run.at<int32_t>(order.at);
    const int64_t bytes = x.element_bytes();
    for (int64_t row = 0; row < rows; ++row) {
      const char* lane = run(x.at) + row * n * bytes;
      const auto before = [&](int32_t a, int32_t b) {
        if (!ir::is_float(x.dtype)) {
          const int64_t va = integer_of(lane + a * bytes, x.dtype),
                        vb = integer_of(lane + b * bytes, x.dtype);
          return va != vb ? va > vb : a < b;
        }
        const double va = real_at(lane + a * bytes, x.dtype),
                     vb = real_at(lane + b * bytes, x.dtype);
        if (std::isnan(va) || std::isnan(vb)) return std::isnan(va) && (!std::isnan(vb) || a < b);
        return va != vb ? va > vb : a < b;
      };
      std::iota(at, at + n, 0);
      std::partial_sort(at, at + k, at + n, before);
      for (int64_t i = 0; i < k; ++i)
        std::copy_n(lane + at[i] * bytes, bytes, run(values.at) + (row * k + i) * bytes);
      std::copy_n(at, k, run.at<int32_t>(indices.at) + row * k);
    }
  });
}

}  // namespace

Layout top_k_operand(const ir::OpView& op, int) {
  return op.operand(0).dtype == ir::DType::f32 ? Layout::rows : Layout::dense;
}

bool log_softmax_top_k_serves(const ir::OpView& op) {
  return op.operand(0).dtype == ir::DType::f32;
}

void lower_top_k(Emit& e) {
  const Tensor x = e.in(0);
  const int64_t n = x.dims.back(), k = e.out().dims.back();
  const int64_t rows = e.out().size() / k;
  if (rows == 0) return;
  if (x.dtype != ir::DType::f32) return emit_plain(e, x, rows, n, k);
  kernels::TopK args{.rows = rows,
                     .n = n,
                     .k = k,
                     .log_softmax = &e.op.def() == &ir::ops::log_softmax_top_k,
                     .ld_x = *row_stride(x)};
  const Ref workspace = e.workspace(static_cast<int64_t>(kernels::top_k_workspace_bytes(args)));
  e.kernel(
      "top_k", 0,
      [args, workspace, from = x.at, values = e.out(0).at, indices = e.out(1).at](const Run& run) {
        kernels::TopK top_k = args;
        top_k.x = run.at<float>(from);
        top_k.values = run.at<float>(values);
        top_k.indices = run.at<int32_t>(indices);
        top_k.workspace = run(workspace);
        kernels::top_k(top_k);
      });
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::log_softmax_top_k,
     .lower = lower_top_k,
     .operand = top_k_operand,
     .serves = log_softmax_top_k_serves},
    {.op = &ir::ops::top_k, .lower = lower_top_k, .operand = top_k_operand},
};

}  // namespace

std::span<const Lowering> of_top_k() { return kLowerings; }

}  // namespace weft::onednn
