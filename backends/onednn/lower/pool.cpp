// backends/onednn/lower/pool.cpp -- pooling and its adjoints.
#include "backends/onednn/kernels/pool.h"

#include "backends/onednn/lower/choice.h"
#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "backends/onednn/lower/primitive.h"
#include "backends/onednn/machine/engine.h"
#include "ir/ops/all.h"

namespace weft::onednn {
namespace {

namespace ops = ir::ops;

// x and y of the node's window, with ones for the axes that are not there.
kernels::PoolShape pool_shape(const ir::OpView& op, const Tensor& x, const Tensor& y) {
  const ops::Window window = ops::window_of(op, ops::pool_window(op));
  kernels::PoolShape s{.batch = x.dims.front(), .channels = x.dims.back()};
  const size_t axes = window.axes();
  for (size_t i = 0; i < axes; ++i) {
    const size_t at = 3 - axes + i;
    s.sizes[at] = x.dims[i + 1];
    s.positions[at] = y.dims[i + 1];
    s.window[at] = op.integers("window")[i];
    s.strides[at] = window.strides[i];
    s.low[at] = window.low[i];
  }
  return s;
}

int64_t between(const Tensor& t) {
  int64_t n = 1;
  for (size_t i = 1; i + 1 < t.dims.size(); ++i) n *= t.dims[i];
  return n;
}

}  // namespace

void lower_max_pool(Emit& e) {
  const Tensor x = e.in(0), y = e.out(0);
  e.needs_arithmetic(x.dtype);
  if (y.size() == 0) return;
  const kernels::MaxPool args{.shape = pool_shape(e.op, x, y)};
  const bool with_indices = e.op.flag("indices");
  const Ref indices = with_indices ? e.out(1).at : Ref{};
  e.kernel("max_pool", 0, [=, from = x.at, to = y.at](const Run& run) {
    kernels::MaxPool pool = args;
    pool.x = run.at<float>(from);
    pool.y = run.at<float>(to);
    pool.indices = with_indices ? run.at<int32_t>(indices) : nullptr;
    kernels::max_pool(pool);
  });
}

void lower_max_pool_grad(Emit& e) {
  const Tensor dy = e.in("dy"), indices = e.in("indices"), dx = e.out();
  e.needs_arithmetic(dy.dtype);
  if (dx.size() == 0) return;
  const kernels::MaxPoolGrad args{.batch = dx.dims.front(),
                                  .positions = between(dy),
                                  .elements = between(dx),
                                  .channels = dx.dims.back()};
  const ir::SourceLoc& loc = e.op.node().from.loc;
  const std::string complaint = ir::concat(loc.known() ? loc.str() + ": " : "",
                                           "error: 'max_pool_grad' needs indices in [0, ");
  e.kernel("max_pool_grad", 0, [=, dy = dy.at, indices = indices.at, dx = dx.at](const Run& run) {
    kernels::MaxPoolGrad grad = args;
    grad.dy = run.at<float>(dy);
    grad.indices = run.at<int32_t>(indices);
    grad.dx = run.at<float>(dx);
    if (const int64_t wrong = kernels::max_pool_grad(grad); wrong >= 0)
      throw ir::GraphError(ir::concat(complaint, args.elements, "), found ", grad.indices[wrong],
                                      " [max_pool_grad.7]"));
  });
}

namespace {

bool emit_avg_pool_kernel(Emit& e) {
  const Tensor x = e.in(0), y = e.out();
  const kernels::AvgPool args{.shape = pool_shape(e.op, x, y),
                              .count_padding = e.op.flag("count_padding")};
  e.kernel("avg_pool", static_cast<double>(x.size()), [=, x = x.at, y = y.at](const Run& run) {
    kernels::AvgPool pool = args;
    pool.x = run.at<float>(x);
    pool.y = run.at<float>(y);
    kernels::avg_pool(pool);
  });
  return true;
}

bool emit_avg_pool_grad_kernel(Emit& e) {
  const Tensor dy = e.in(0), dx = e.out();
  const kernels::AvgPoolGrad args{.shape = pool_shape(e.op, dx, dy),
                                  .count_padding = e.op.flag("count_padding")};
  e.kernel("avg_pool_grad", static_cast<double>(dx.size()),
           [=, dy = dy.at, dx = dx.at](const Run& run) {
             kernels::AvgPoolGrad grad = args;
             grad.dy = run.at<float>(dy);
             grad.dx = run.at<float>(dx);
             kernels::avg_pool_grad(grad);
           });
  return true;
}

// oneDNN's greatest elements are not told from NaN: max_pool has no primitive.
compat::AvgPool avg_pool(const ir::OpView& op, const Tensor& x, const Tensor& y) {
  const ops::Window window = ops::window_of(op, ops::pool_window(op));
  const ir::Integers& sizes = op.integers("window");
  return {channels_last(x),
          channels_last(y),
          {window.strides.begin(), window.strides.end()},
          {sizes.begin(), sizes.end()},
          {window.low.begin(), window.low.end()},
          {window.high.begin(), window.high.end()},
          op.flag("count_padding")};
}

// Windows that fit into what they slide over without its padding: no others are tried.
bool windows_fit(const ir::OpView& op, const Tensor& x) {
  const ir::Integers& window = op.integers("window");
  for (size_t i = 0; i < window.size(); ++i)
    if (x.dims[i + 1] < window[i]) return false;
  return !window.empty();
}

bool emit_avg_pool_primitive(Emit& e) {
  const Tensor x = e.in(0), y = e.out();
  if (x.size() == 0 || !windows_fit(e.op, x)) return false;
  const compat::AvgPool p = avg_pool(e.op, x, y);
  const auto pd =
      described([&] { return compat::avg_pool_desc(e.engine().dnnl(), p, plain_attributes()); });
  if (!pd) return false;
  Call("avg_pool", compat::Pooling(*pd))
      .with(DNNL_ARG_SRC, p.x, x.at)
      .with(DNNL_ARG_DST, p.y, y.at)
      .with_scratchpad(e, pd->scratchpad_desc())
      .emit(e, static_cast<double>(x.size()), pd->impl_info_str());
  return true;
}

bool emit_avg_pool_grad_primitive(Emit& e) {
  const Tensor dy = e.in(0), dx = e.out();
  if (dy.size() == 0 || !windows_fit(e.op, dx)) return false;
  const compat::AvgPool p = avg_pool(e.op, dx, dy);
  const auto pd = described(
      [&] { return compat::avg_pool_grad_desc(e.engine().dnnl(), p, plain_attributes()); });
  if (!pd) return false;
  Call("avg_pool_grad", compat::PoolingGrad(*pd))
      .with(DNNL_ARG_DIFF_DST, p.y, dy.at)
      .with(DNNL_ARG_DIFF_SRC, p.x, dx.at)
      .with_scratchpad(e, pd->scratchpad_desc())
      .emit(e, static_cast<double>(dx.size()), pd->impl_info_str());
  return true;
}

constexpr Implementation kAvgPool[] = {{"primitive", Owner::onednn, emit_avg_pool_primitive},
                                       {"avg_pool", Owner::weft, emit_avg_pool_kernel}};
constexpr Implementation kAvgPoolGrad[] = {
    {"primitive", Owner::onednn, emit_avg_pool_grad_primitive},
    {"avg_pool_grad", Owner::weft, emit_avg_pool_grad_kernel}};

}  // namespace

void lower_avg_pool(Emit& e) {
  e.needs_arithmetic(e.in(0).dtype);
  if (e.out().size() > 0) lower_by_choice(e);
}

void lower_avg_pool_grad(Emit& e) {
  e.needs_arithmetic(e.in(0).dtype);
  if (e.out().size() > 0) lower_by_choice(e);
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ops::avg_pool, .lower = lower_avg_pool, .implementations = kAvgPool},
    {.op = &ops::avg_pool_grad, .lower = lower_avg_pool_grad, .implementations = kAvgPoolGrad},
    {.op = &ops::max_pool, .lower = lower_max_pool},
    {.op = &ops::max_pool_grad, .lower = lower_max_pool_grad},
};

}  // namespace

std::span<const Lowering> of_pool() { return kLowerings; }

}  // namespace weft::onednn
