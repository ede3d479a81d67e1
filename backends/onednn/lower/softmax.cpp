// backends/onednn/lower/softmax.cpp -- softmax and log-softmax along any axis.
#include "backends/onednn/kernels/softmax.h"

#include "backends/onednn/lower/choice.h"
#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "backends/onednn/lower/primitive.h"
#include "backends/onednn/machine/engine.h"
#include "ir/ops/all.h"

#include <algorithm>
#include <cmath>

namespace weft::onednn {
namespace {

struct Lanes {
  int64_t rows = 1, n = 1, inner = 1, ld_x = 0, ld_y = 0;
};

}  // namespace

Layout softmax_operand(const ir::OpView& op, int) {
  return op.axis() == op.operand(0).rank() - 1 ? Layout::rows : Layout::dense;
}

namespace {

Lanes lanes_of(const ir::OpView& op, const Tensor& x, const Tensor& y) {
  const int axis = static_cast<int>(op.axis());
  Lanes l;
  for (int i = 0; i < x.rank(); ++i) (i < axis ? l.rows : i == axis ? l.n : l.inner) *= x.dim(i);
  // Rows are the operand's own only along its last axis; any other is dense, even with 1 element
  // behind.
  const bool last = axis == x.rank() - 1;
  l.ld_x = last ? *row_stride(x) : l.n * l.inner;
  l.ld_y = last ? *row_stride(y) : l.n * l.inner;
  return l;
}

bool emit_softmax_kernel(Emit& e) {
  const Tensor x = e.in(0), y = e.out();
  const Lanes l = lanes_of(e.op, x, y);
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
  return true;
}

// Lanes that oneDNN gets wrong: of -inf throughout, whose softmax is zeros and its logarithm -inf,
// where it has NaN; with a NaN or +inf, which make NaN of the whole lane, where it has zeros; and,
// of the logarithm, with one element above -inf, whose is 0, where it has some 1e-6.
struct OddLanes {
  enum Kind : uint8_t { sound, empty, spoilt, alone };

  Lanes l;
  Ref x, y, kinds;  // kinds: a byte a lane
  bool log;

  const float* lane(const Run& run, Ref of, int64_t ld, int64_t i) const {
    return run.at<float>(of) + i / l.inner * ld + i % l.inner;
  }
  void find(const Run& run) const {
    uint8_t* const to = run.at<uint8_t>(kinds);
    for (int64_t i = 0; i < l.rows * l.inner; ++i) {
      const float* const at = lane(run, x, l.ld_x, i);
      float greatest = -HUGE_VALF;
      bool nan = false;
      int64_t above = 0;
      for (int64_t k = 0; k < l.n; ++k) {
        nan |= std::isnan(at[k * l.inner]);
        above += at[k * l.inner] > -HUGE_VALF ? 1 : 0;
        greatest = std::max(greatest, at[k * l.inner]);
      }
      to[i] = nan || greatest == HUGE_VALF ? spoilt
              : above == 0                 ? empty
              : log && above == 1          ? alone
                                           : sound;
    }
  }
  void fill(const Run& run) const {
    const uint8_t* const kind = run.at<uint8_t>(kinds);
    for (int64_t i = 0; i < l.rows * l.inner; ++i) {
      if (kind[i] == sound) continue;
      const float* const from = lane(run, x, l.ld_x, i);
      auto* const to = const_cast<float*>(lane(run, y, l.ld_y, i));
      for (int64_t k = 0; k < l.n * l.inner; k += l.inner) {
        const bool some = kind[i] == alone && from[k] > -HUGE_VALF;
        to[k] = kind[i] == spoilt ? std::nanf("") : log && !some ? -HUGE_VALF : 0.0F;
      }
    }
  }
};

bool emit_softmax_primitive(Emit& e) {
  const Tensor x = e.in(0), y = e.out();
  const Lanes l = lanes_of(e.op, x, y);
  const bool log = &e.op.def() == &ir::ops::log_softmax;
  if (l.n == 1) return false;  // log(1) is 1e-6 there
  const auto desc = [&](int64_t ld) {
    return dnnl::memory::desc({l.rows, l.n, l.inner}, dnnl::memory::data_type::f32,
                              dnnl::memory::dims{ld, l.inner, 1});
  };
  const auto pd = described([&] {
    return compat::softmax_desc(e.engine().dnnl(), log, desc(l.ld_x), desc(l.ld_y), 1,
                                plain_attributes());
  });
  if (!pd) return false;
  const OddLanes odd{l, x.at, y.at, e.workspace(l.rows * l.inner), log};
  e.kernel("odd lanes", 0, [odd](const Run& run) { odd.find(run); });
  Call("softmax", compat::Softmax(*pd))
      .with(DNNL_ARG_SRC, pd->src_desc(), x.at)
      .with(DNNL_ARG_DST, pd->dst_desc(), y.at)
      .with_scratchpad(e, pd->scratchpad_desc())
      .emit(e, 0, pd->impl_info_str());
  e.kernel("odd lanes", 0, [odd](const Run& run) { odd.fill(run); });
  return true;
}

constexpr Implementation kSoftmax[] = {
    {"primitive", Owner::onednn, emit_softmax_primitive},
    {"softmax", Owner::weft, emit_softmax_kernel},
};

}  // namespace

void lower_softmax(Emit& e) {
  e.needs_arithmetic(e.in(0).dtype);
  if (e.in(0).size() > 0) lower_by_choice(e);
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
     .operand = softmax_operand,
     .implementations = kSoftmax},
    {.op = &ir::ops::softmax,
     .lower = lower_softmax,
     .operand = softmax_operand,
     .in_place = softmax_in_place,
     .implementations = kSoftmax},
    {.op = &ir::ops::softmax_grad,
     .lower = lower_softmax_grad,
     .operand = softmax_operand,
     .in_place = softmax_grad_in_place},
};

}  // namespace

std::span<const Lowering> of_softmax() { return kLowerings; }

}  // namespace weft::onednn
