// backends/onednn/lower/reduce.cpp -- reductions over axes, running sums and products, arg_max.
#include "backends/onednn/kernels/reduce.h"

#include "backends/onednn/kernels/arg_max.h"
#include "backends/onednn/kernels/cumulative_sum.h"
#include "backends/onednn/lower/choice.h"
#include "backends/onednn/lower/dtype.h"
#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "backends/onednn/lower/primitive.h"
#include "backends/onednn/machine/engine.h"
#include "backends/onednn/plan/moves.h"
#include "ir/check.h"
#include "ir/ops/all.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace weft::onednn {
namespace {

using kernels::Reduction;

Reduction kind_of(const ir::OpDef& op) {
  if (&op == &ir::ops::mean) return Reduction::mean;
  if (&op == &ir::ops::prod) return Reduction::prod;
  if (&op == &ir::ops::max) return Reduction::max;
  if (&op == &ir::ops::min) return Reduction::min;
  return Reduction::sum;
}

struct Folded {
  int64_t outer = 1, n = 1, inner = 1;
};

Folded folded(const Dims& dims, int from, int to) {
  Folded f;
  for (int i = 0; i < static_cast<int>(dims.size()); ++i) {
    int64_t& part = i < from ? f.outer : i < to ? f.n : f.inner;
    part *= dims[static_cast<size_t>(i)];
  }
  return f;
}

// Sums and means of f32; oneDNN's max and min do not pass NaN on. It has reference loops only for
// axes that are not the last.
bool emit_reduce_primitive(Emit& e, Reduction kind, const Tensor& x, const Folded& f, Ref to,
                           const std::optional<RowBound>& rows) {
  using dnnl::memory;
  if (x.dtype != ir::DType::f32 || x.narrow || !is_dense(x) || f.n == 0 || f.outer == 0 ||
      f.inner != 1)
    return false;
  if (kind != Reduction::sum && kind != Reduction::mean) return false;
  const auto how =
      kind == Reduction::sum ? dnnl::algorithm::reduction_sum : dnnl::algorithm::reduction_mean;
  const auto make = [=, engine = e.engine().dnnl()](int64_t outer) -> std::optional<RowPrimitive> {
    const auto desc = [&](int64_t n) {
      return memory::desc({outer, n, f.inner}, memory::data_type::f32, memory::format_tag::abc);
    };
    const auto pd = described([&] {
      return compat::reduction_desc(engine, how, desc(f.n), desc(1), plain_attributes());
    });
    if (!pd) return std::nullopt;
    return RowPrimitive{dnnl::reduction(*pd),
                        pd->impl_info_str(),
                        {{DNNL_ARG_SRC, desc(f.n)}, {DNNL_ARG_DST, desc(1)}},
                        pd->scratchpad_desc()};
  };
  return emit_for_rows(e, "reduce", static_cast<double>(x.size()), f.outer, rows, make, {x.at, to});
}

// One run of neighbouring axes of x, [outer,n,inner].
// With a bound, rows are the outermost of what is kept, or of what is reduced (outer is 1 then).
void emit_reduce(Emit& e, Reduction kind, const Tensor& x, const Folded& f, Ref to,
                 const std::optional<RowBound>& rows, bool over_rows) {
  if (preferred(e.choice(), "sum") == Owner::onednn) {
    if (!(rows && over_rows) && emit_reduce_primitive(e, kind, x, f, to, rows)) return;
    e.refused();
  }
  kernels::Reduce args{.kind = kind,
                       .dtype = x.narrow || x.dtype == ir::DType::bf16 ? kernels::DType::bf16
                                                                       : *kernel_dtype(x.dtype),
                       .outer = f.outer,
                       .n = f.n,
                       .inner = f.inner,
                       .x_n = x.stride(1)};
  const size_t bytes = kernels::reduce_workspace_bytes(args);
  const Ref workspace = e.workspace(static_cast<int64_t>(bytes));
  e.kernel("reduce", static_cast<double>(x.size()),
           [args, from = x.at, to, workspace, rows, over_rows](const Run& run) {
             kernels::Reduce reduce = args;
             if (rows)
               (over_rows ? reduce.n : reduce.outer) =
                   rows->of(run, over_rows ? args.n : args.outer);
             reduce.x = run(from);
             reduce.y = run(to);
             reduce.workspace = run(workspace);
             kernels::reduce(reduce);
           });
}

int64_t lowest(ir::DType dtype) {
  return ir::info(dtype).is_signed ? -(int64_t{1} << (ir::info(dtype).bits - 1)) : 0;
}
int64_t highest(ir::DType dtype) {
  return (int64_t{1} << (ir::info(dtype).bits - (ir::info(dtype).is_signed ? 1 : 0))) - 1;
}

// Integers the kernels do not know (u32, u8, s8): all reduced axes at once, an element at a time.
void emit_plain(Emit& e, Reduction kind, const Tensor& x, const std::vector<int64_t>& axes) {
  Tensor kept = x;  // x with the reduced axes last
  Dims order_dims, order_strides, tail_dims, tail_strides;
  for (int i = 0; i < x.rank(); ++i) {
    const bool reduced = std::find(axes.begin(), axes.end(), i) != axes.end();
    (reduced ? tail_dims : order_dims).push_back(x.dim(i));
    (reduced ? tail_strides : order_strides).push_back(x.stride(i));
  }
  kept.dims = order_dims, kept.strides = order_strides;
  Tensor tail = x;
  tail.dims = tail_dims, tail.strides = tail_strides;
  const auto offset = [](const Tensor& t, int64_t i) {
    int64_t at = 0;
    for (int axis = t.rank() - 1; axis >= 0; i /= t.dim(axis--))
      at += i % t.dim(axis) * t.stride(axis);
    return at;
  };
  e.kernel("reduce, plain", 0, [=, out = e.out()](const Run& run) {
    for (int64_t i = 0; i < kept.size(); ++i) {
      int64_t y = kind == Reduction::prod  ? 1
                  : kind == Reduction::max ? lowest(x.dtype)
                  : kind == Reduction::min ? highest(x.dtype)
                                           : 0;
      for (int64_t j = 0; j < tail.size(); ++j) {
        const int64_t v = integer_of(
            run(x.at) + (offset(kept, i) + offset(tail, j)) * x.element_bytes(), x.dtype);
        y = kind == Reduction::prod  ? y * v
            : kind == Reduction::max ? std::max(y, v)
            : kind == Reduction::min ? std::min(y, v)
                                     : y + v;
      }
      store_integer(run(out.at) + i * out.element_bytes(), out.dtype, y);
    }
  });
}

}  // namespace

void emit_row_sum(Emit& e, const Tensor& x, Ref to, const std::optional<RowBound>& rows) {
  const Folded f{1, x.dim(0), x.dim(1)};
  emit_reduce(e, Reduction::sum, with_axis(x, 0), f, to, rows, true);
}

// One run of neighbouring axes is one kernel.
bool reduce_bounded(const ir::OpView& op) {
  std::vector<int64_t> axes = op.axes();
  std::sort(axes.begin(), axes.end());
  return !axes.empty() && axes.back() - axes.front() + 1 == static_cast<int64_t>(axes.size()) &&
         kernel_dtype(op.operand(0).dtype).has_value();
}

// Over all axes but the last, of f32: rows may then lie apart.
bool sums_rows(const ir::OpView& op) {
  const ir::TensorType& x = op.operand(0);
  const std::vector<int64_t> axes = op.axes();
  return &op.def() == &ir::ops::sum && x.dtype == ir::DType::f32 && x.rank() > 1 &&
         static_cast<int>(axes.size()) == x.rank() - 1 &&
         std::count(axes.begin(), axes.end(), x.rank() - 1) == 0;
}

void lower_reduce(Emit& e) {
  const Reduction kind = kind_of(e.op.def());
  std::vector<int64_t> axes = e.op.axes();
  std::sort(axes.begin(), axes.end());
  Tensor x = e.in(0);
  const Tensor& y = e.out();
  e.needs_arithmetic(x.dtype);
  if (y.size() == 0) return;
  if (!kernel_dtype(x.dtype)) return emit_plain(e, kind, x, axes);
  if (axes.empty()) return emit_copy(e, x, *reshaped(y, x.dims));
  // Runs of neighbouring axes, the innermost first; axes of size 1 join any run.
  while (!axes.empty()) {
    int to = static_cast<int>(axes.back()) + 1, from = to;
    while (!axes.empty() && axes.back() == from - 1) {
      --from;
      axes.pop_back();
    }
    const Folded f = folded(x.dims, from, to);
    Tensor in = dense(x.dtype, {f.outer, f.n, f.inner}, x.at);
    in.narrow = x.narrow;
    if (sums_rows(e.op)) in.strides[1] = *row_stride(x);
    x.dims.erase(x.dims.begin() + from, x.dims.begin() + to);
    Tensor next = axes.empty() ? dense(x.dtype, x.dims, y.at) : e.temporary(x.dtype, x.dims);
    if (next.size() > 0) emit_reduce(e, kind, in, f, next.at, e.bound(), from == 0);
    x = next;
  }
}

Layout reduce_operand(const ir::OpView& op, int) {
  return sums_rows(op) ? Layout::rows : Layout::dense;
}

// Sums of f32 read bf16 as they read f32.
bool reduce_widens(const ir::OpView& op, int) { return &op.def() == &ir::ops::sum; }

// Sums and products.
void lower_cumulative(Emit& e) {
  const Tensor x = e.in(0), y = e.out();
  e.needs_arithmetic(x.dtype);
  const int axis = static_cast<int>(e.op.axis());
  const Folded f = folded(x.dims, axis, axis + 1);
  const bool reverse = e.op.flag("reverse"), exclusive = e.op.flag("exclusive");
  const bool product = &e.op.def() == &ir::ops::cumprod;
  const char* const name = product ? "cumulative_product" : "cumulative_sum";
  if (x.size() == 0) return;
  if (const auto dtype = kernel_dtype(x.dtype)) {
    const kernels::CumulativeSum args{.dtype = *dtype,
                                      .outer = f.outer,
                                      .n = f.n,
                                      .inner = f.inner,
                                      .exclusive = exclusive,
                                      .reverse = reverse,
                                      .product = product};
    return e.kernel(name, static_cast<double>(x.size()),
                    [args, from = x.at, to = y.at](const Run& run) {
                      kernels::CumulativeSum sum = args;
                      sum.x = run(from);
                      sum.y = run(to);
                      kernels::cumulative_sum(sum);
                    });
  }
  e.kernel(ir::concat(name, ", plain"), 0, [=](const Run& run) {
    for (int64_t o = 0; o < f.outer; ++o)
      for (int64_t i = 0; i < f.inner; ++i) {
        uint64_t so_far = product ? 1 : 0;
        for (int64_t k = 0; k < f.n; ++k) {
          const int64_t at =
              ((o * f.n + (reverse ? f.n - 1 - k : k)) * f.inner + i) * x.element_bytes();
          const auto v = static_cast<uint64_t>(integer_of(run(x.at) + at, x.dtype));
          const uint64_t next = product ? so_far * v : so_far + v;
          store_integer(run(y.at) + at, y.dtype, static_cast<int64_t>(exclusive ? so_far : next));
          so_far = next;
        }
      }
  });
}

void lower_linear_recurrence(Emit& e) {
  const Tensor a = e.in(0), b = e.in(1), y = e.out();
  e.needs_arithmetic(y.dtype);
  if (y.size() == 0) return;
  const int axis = static_cast<int>(e.op.axis());
  const Folded f = folded(y.dims, axis, axis + 1);
  const kernels::LinearRecurrence args{
      .outer = f.outer, .n = f.n, .inner = f.inner, .reverse = e.op.flag("reverse")};
  e.kernel("linear_recurrence", 2 * static_cast<double>(y.size()),
           [args, a = a.at, b = b.at, y = y.at](const Run& run) {
             kernels::LinearRecurrence recurrence = args;
             recurrence.a = run.at<float>(a);
             recurrence.b = run.at<float>(b);
             recurrence.y = run.at<float>(y);
             kernels::linear_recurrence(recurrence);
           });
}

void lower_arg_max(Emit& e) {
  const Tensor x = e.in(0), y = e.out();
  const int axis = static_cast<int>(e.op.axis());
  const Folded f = folded(x.dims, axis, axis + 1);
  if (y.size() == 0) return;
  if (x.dtype == ir::DType::f32) {
    const kernels::ArgMax args{
        .outer = f.outer, .n = f.n, .inner = f.inner, .index = kernels::DType::s32};
    return e.kernel("arg_max", 0, [args, from = x.at, to = y.at](const Run& run) {
      kernels::ArgMax arg_max = args;
      arg_max.x = run.at<float>(from);
      arg_max.y = run(to);
      kernels::arg_max(arg_max);
    });
  }
  e.kernel("arg_max, plain", 0, [=](const Run& run) {
    for (int64_t o = 0; o < f.outer; ++o)
      for (int64_t i = 0; i < f.inner; ++i) {
        int64_t best = 0;
        const auto value = [&](int64_t k) {
          return real_at(run(x.at) + ((o * f.n + k) * f.inner + i) * x.element_bytes(), x.dtype);
        };
        const auto integer = [&](int64_t k) {
          return integer_of(run(x.at) + ((o * f.n + k) * f.inner + i) * x.element_bytes(), x.dtype);
        };
        for (int64_t k = 1; k < f.n; ++k)
          if (ir::is_float(x.dtype)
                  ? value(k) > value(best) || (std::isnan(value(k)) && !std::isnan(value(best)))
                  : integer(k) > integer(best))
            best = k;
        store_integer(run(y.at) + (o * f.inner + i) * 4, ir::DType::s32, best);
      }
  });
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::arg_max, .lower = lower_arg_max},
    {.op = &ir::ops::cumprod,
     .lower = lower_cumulative,
     .in_place = [](const ir::OpView&, int, int) { return true; }},
    {.op = &ir::ops::cumsum,
     .lower = lower_cumulative,
     .in_place = [](const ir::OpView&, int, int) { return true; }},
    {.op = &ir::ops::linear_recurrence,
     .lower = lower_linear_recurrence,
     .in_place = [](const ir::OpView&, int, int) { return true; }},
    {.op = &ir::ops::max, .lower = lower_reduce, .bounded = reduce_bounded},
    {.op = &ir::ops::mean, .lower = lower_reduce, .bounded = reduce_bounded},
    {.op = &ir::ops::min, .lower = lower_reduce, .bounded = reduce_bounded},
    {.op = &ir::ops::prod, .lower = lower_reduce, .bounded = reduce_bounded},
    {.op = &ir::ops::sum,
     .lower = lower_reduce,
     .operand = reduce_operand,
     .widens = reduce_widens,
     .bounded = reduce_bounded},
};

}  // namespace

std::span<const Lowering> of_reduce() { return kLowerings; }

}  // namespace weft::onednn
