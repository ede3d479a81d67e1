// backends/onednn/lower/sort.cpp -- elements in order along an axis.
#include "backends/onednn/kernels/sort.h"

#include "backends/onednn/lower/dtype.h"
#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "backends/onednn/plan/moves.h"
#include "ir/ops/all.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weft::onednn {
namespace {

// Dtypes the kernel does not know: every lane's positions sorted.
void emit_plain(Emit& e, const kernels::Sort& args) {
  const Tensor x = e.in(0), values = e.out(0), indices = e.out(1);
  const Tensor order = e.temporary(ir::DType::s32, {args.n});
  e.kernel("sort, plain", 0, [=](const Run& run) {
    auto* const at = run.at<int32_t>(order.at);
    const int64_t bytes = x.element_bytes();
    for (int64_t lane = 0; lane < args.outer * args.inner; ++lane) {
      const int64_t first = lane / args.inner * args.n * args.inner + lane % args.inner;
      const auto element = [&](int64_t i) { return run(x.at) + (first + i * args.inner) * bytes; };
      // Negative: a is less.
      const auto compared = [&](int32_t a, int32_t b) {
        if (!ir::is_float(x.dtype)) {
          const int64_t u = integer_of(element(a), x.dtype), v = integer_of(element(b), x.dtype);
          return (u > v) - (u < v);
        }
        const double u = real_at(element(a), x.dtype), v = real_at(element(b), x.dtype);
        if (std::isnan(u) || std::isnan(v)) return int{std::isnan(u)} - int{std::isnan(v)};
        return (u > v) - (u < v);
      };
      std::iota(at, at + args.n, 0);
      std::sort(at, at + args.n, [&](int32_t a, int32_t b) {
        const int order = args.descending ? compared(b, a) : compared(a, b);
        return order != 0 ? order < 0 : a < b;
      });
      for (int64_t i = 0; i < args.n; ++i) {
        std::copy_n(element(at[i]), bytes, run(values.at) + (first + i * args.inner) * bytes);
        run.at<int32_t>(indices.at)[first + i * args.inner] = at[i];
      }
    }
  });
}

}  // namespace

void lower_sort(Emit& e) {
  const Tensor x = e.in(0);
  if (x.size() == 0) return;
  const auto axis = static_cast<size_t>(e.op.axis());
  kernels::Sort args{.n = x.dims[axis], .descending = e.op.flag("descending")};
  for (size_t d = 0; d < x.dims.size(); ++d)
    if (d != axis) (d < axis ? args.outer : args.inner) *= x.dims[d];
  const auto dtype = kernel_dtype(x.dtype);
  if (!dtype) return emit_plain(e, args);
  args.dtype = *dtype;
  const Ref workspace = e.workspace(static_cast<int64_t>(kernels::sort_workspace_bytes(args)));
  e.kernel(
      "sort", 0,
      [args, workspace, from = x.at, values = e.out(0).at, indices = e.out(1).at](const Run& run) {
        kernels::Sort sort = args;
        sort.x = run(from);
        sort.values = run(values);
        sort.indices = run.at<int32_t>(indices);
        sort.workspace = run(workspace);
        kernels::sort(sort);
      });
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::sort, .lower = lower_sort},
};

}  // namespace

std::span<const Lowering> of_sort() { return kLowerings; }

}  // namespace weft::onednn
