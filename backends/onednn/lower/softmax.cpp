// backends/onednn/lower/softmax.cpp -- softmax and log-softmax along any axis.
#include "backends/onednn/kernels/softmax.h"

#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "ir/ops/all.h"

namespace weft::onednn {
namespace {

struct Lanes {
  int64_t rows = 1, n = 1, inner = 1, ld_x = 0, ld_y = 0;
};

}  // namespace

Layout softmax_operand(const ir::OpView& op, int) {
  return op.axis() == op.operand(0).rank() - 1 ? Layout::rows : Layout::dense;
}

void lower_softmax(Emit& e) {
  const Tensor x = e.in(0), y = e.out();
  e.needs_arithmetic(x.dtype);
  if (x.size() == 0) return;
  const int axis = static_cast<int>(e.op.axis());
  Lanes l;
  for (int i = 0; i < x.rank(); ++i) (i < axis ? l.rows : i == axis ? l.n : l.inner) *= x.dim(i);
  // Rows are the operand's own only along its last axis; any other is dense, even with 1 element
  // behind.
  const bool last = axis == x.rank() - 1;
  l.ld_x = last ? *row_stride(x) : l.n * l.inner;
  l.ld_y = last ? *row_stride(y) : l.n * l.inner;
  const kernels::Softmax args{.rows = l.rows,
                              .n = l.n,
                              .inner = l.inner,
                              .log = &e.op.def() == &ir::ops::log_softmax,
                              .ld_x = l.ld_x,
                              .ld_y = l.ld_y};
  e.kernel("softmax", 0, [args, from = x.at, to = y.at](const Run& run) {
    kernels::Softmax softmax = args;
    softmax.x = run.at<float>(from);
    softmax.y = run.at<float>(to);
    kernels::softmax(softmax);
  });
}

void lower_softmax_grad(Emit& e) {
  const Tensor dy = e.in(0), y = e.in(1), dx = e.out();
  e.needs_arithmetic(dx.dtype);
  if (dx.size() == 0) return;
  const int axis = static_cast<int>(e.op.axis());
  kernels::SoftmaxGrad args;
  for (int i = 0; i < dx.rank(); ++i)
    (i < axis ? args.rows : i == axis ? args.n : args.inner) *= dx.dim(i);
  const bool last = axis == dx.rank() - 1;
  const auto distance = [&](const Tensor& t) {
    return last ? *row_stride(t) : args.n * args.inner;
  };
  args.ld_dy = distance(dy), args.ld_y = distance(y), args.ld_dx = distance(dx);
  e.kernel("softmax_grad", 0, [args, dy = dy.at, y = y.at, dx = dx.at](const Run& run) {
    kernels::SoftmaxGrad grad = args;
    grad.dy = run.at<float>(dy);
    grad.y = run.at<float>(y);
    grad.dx = run.at<float>(dx);
    kernels::softmax_grad(grad);
  });
}

bool softmax_grad_in_place(const ir::OpView& op, int, int) {
  return op.axis() == op.operand(0).rank() - 1;
}

bool softmax_in_place(const ir::OpView& op, int, int) {
  return &op.def() == &ir::ops::softmax && op.axis() == op.operand(0).rank() - 1;
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::log_softmax,
     .lower = lower_softmax,
     .results = Layout::dense,
     .operand = softmax_operand},
    {.op = &ir::ops::softmax,
     .lower = lower_softmax,
     .operand = softmax_operand,
     .in_place = softmax_in_place},
    {.op = &ir::ops::softmax_grad,
     .lower = lower_softmax_grad,
     .operand = softmax_operand,
     .in_place = softmax_grad_in_place},
};

}  // namespace

std::span<const Lowering> of_softmax() { return kLowerings; }

}  // namespace weft::onednn
