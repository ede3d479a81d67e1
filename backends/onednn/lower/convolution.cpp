// backends/onednn/lower/convolution.cpp -- convolutions and their adjoints as oneDNN primitives.
//
// x and y lie channels-last, as all values do; oneDNN chooses how it wants w, which is put in that
// order before (or out of it after) where it is another one. The adjoint of w over one long axis is
// done as matrix products, which are several times as fast.
#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "backends/onednn/lower/primitive.h"
#include "backends/onednn/machine/engine.h"
#include "ir/ops/all.h"

#include <algorithm>

namespace weft::onednn {
namespace {

using dnnl::memory;
namespace ops = ir::ops;

// T[k...,C/groups,N] as oneDNN names its axes: groups (if there is more than one), N/groups,
// C/groups, k...
memory::desc weights(const Tensor& t, int64_t groups) {
  const int64_t n = t.dim(-1) / groups;
  memory::dims dims{n, t.dim(-2)}, strides{t.stride(-1), t.stride(-2)};
  if (groups > 1) {
    dims.insert(dims.begin(), groups);
    strides.insert(strides.begin(), n * t.stride(-1));
  }
  dims.insert(dims.end(), t.dims.begin(), t.dims.end() - 2);
  strides.insert(strides.end(), t.strides.begin(), t.strides.end() - 2);
  return {dims, memory::data_type::f32, strides};
}

memory::desc of_any_layout(const memory::desc& desc) {
  return {compat::dims_of(desc), memory::data_type::f32, memory::format_tag::any};
}

struct Convolution {
  Tensor x, w, y;
  std::optional<Tensor> bias;
  int64_t groups;
  compat::Convolution desc;

  double flops() const {
    double n = 2.0 * static_cast<double>(y.size()) * static_cast<double>(w.size());
    return n / static_cast<double>(y.dim(-1));
  }
};

Convolution convolution(const Emit& e, const Tensor& x, const Tensor& w, const Tensor& y) {
  const ops::Window window = ops::window_of(e.op, ir::Shape(w.dims.begin(), w.dims.end() - 2));
  memory::dims left_out;
  for (const int64_t d : window.dilations) left_out.push_back(d - 1);
  const int64_t groups = e.op.integer("groups");
  return {x,
          w,
          y,
          std::nullopt,
          groups,
          {channels_last(x), of_any_layout(weights(w, groups)), channels_last(y), std::nullopt,
           window.strides, left_out, window.low, window.high}};
}

// Throws where oneDNN has only its reference loops, or none.
template <typename Make>
auto described_or_throw(Emit& e, const Convolution& p, Make make) {
  const auto pd = described([&] { return make(e.engine().dnnl(), p.desc, plain_attributes()); });
  if (!pd)
    throw ir::RuntimeError(ir::concat(
        e.op.node().from.loc.str(), ": error: oneDNN has no code, reference loops aside, for '",
        e.op.def().name, "' of x ", str(p.x), ", w ", str(p.w), " and y ", str(p.y)));
  return *pd;
}

// Where w lies in the layout wanted, put there first if need be.
Ref in_layout(Emit& e, const Convolution& p, const memory::desc& wanted) {
  const memory::desc plain = weights(p.w, p.groups);
  if (wanted == plain) return p.w.at;
  const Ref at = e.workspace(static_cast<int64_t>(wanted.get_size()));
  if (!emit_reorder(e, "reorder of conv weights", plain, p.w.at, wanted, at, true))
    throw ir::RuntimeError(ir::concat(e.op.node().from.loc.str(), ": error: oneDNN wants w of '",
                                      e.op.def().name, "' as ", layout_text(wanted),
                                      ", which it does not make right"));
  return at;
}

// Of long sequences with many channels, in so many products that making them is quick.
bool pays_as_products(const Convolution& p) {
  return p.groups == 1 && p.x.rank() == 3 && p.x.dim(-1) >= 32 && p.y.dim(-1) >= 32 &&
         p.y.dim(1) >= 256 && p.x.dim(0) * p.w.dim(0) <= 256;
}

// For each place in the window: the rows of x that it meets, transposed, times those of dy, one
// sequence after the other.
void emit_products(Emit& e, const Convolution& p) {
  const int64_t stride = p.desc.strides[0], positions = p.y.dim(1), elements = p.x.dim(1);
  for (int64_t k = 0; k < p.w.dim(0); ++k) {
    Tensor w = without_axis(sliced(p.w, 0, k, 1), 0);
    // Position o meets element o * stride + shift.
    const int64_t shift = k * (p.desc.dilations[0] + 1) - p.desc.low[0];
    const int64_t from = shift < 0 ? (-shift + stride - 1) / stride : 0;
    const int64_t to = std::min(positions, (elements - 1 - shift + stride) / stride);
    if (to <= from) {
      emit_fill(e, w, 0);
      continue;
    }
    for (int64_t b = 0; b < p.x.dim(0); ++b) {
      const Tensor x = without_axis(sliced(p.x, 0, b, 1), 0),
                   dy = without_axis(sliced(p.y, 0, b, 1), 0);
      emit_matmul(e, transposed(sliced(x, 0, from * stride + shift, to - from, stride)),
                  sliced(dy, 0, from, to - from), w, {.accumulate = b > 0});
    }
  }
}

}  // namespace

void lower_conv(Emit& e) {
  const Tensor y = e.out();
  e.needs_arithmetic(y.dtype);
  if (y.size() == 0) return;
  Convolution p = convolution(e, e.in("x"), e.in("w"), y);
  if (e.has("bias")) {
    p.bias = e.in("bias");
    p.desc.bias = memory::desc({y.dim(-1)}, memory::data_type::f32, memory::dims{1});
  }
  if (p.x.size() == 0)  // no channels
    return p.bias ? emit_copy(e, broadcast_to(*p.bias, y.dims), y) : emit_fill(e, y, 0);
  const auto pd = described_or_throw(e, p, compat::conv_desc);
  Call call("conv", dnnl::convolution_forward(pd));
  call.with(DNNL_ARG_SRC, pd.src_desc(), p.x.at)
      .with(DNNL_ARG_WEIGHTS, pd.weights_desc(), in_layout(e, p, pd.weights_desc()))
      .with(DNNL_ARG_DST, pd.dst_desc(), y.at);
  if (p.bias) call.with(DNNL_ARG_BIAS, *p.desc.bias, p.bias->at);
  call.with_scratchpad(e, pd.scratchpad_desc()).emit(e, p.flops(), pd.impl_info_str());
}

void lower_conv_input_grad(Emit& e) {
  const Tensor dx = e.out();
  e.needs_arithmetic(dx.dtype);
  if (dx.size() == 0) return;
  const Convolution p = convolution(e, dx, e.in("w"), e.in("dy"));
  if (p.y.size() == 0) return emit_fill(e, dx, 0);
  const auto pd = described_or_throw(e, p, compat::conv_input_desc);
  Call("conv_input_grad", dnnl::convolution_backward_data(pd))
      .with(DNNL_ARG_DIFF_DST, pd.diff_dst_desc(), p.y.at)
      .with(DNNL_ARG_WEIGHTS, pd.weights_desc(), in_layout(e, p, pd.weights_desc()))
      .with(DNNL_ARG_DIFF_SRC, pd.diff_src_desc(), dx.at)
      .with_scratchpad(e, pd.scratchpad_desc())
      .emit(e, p.flops(), pd.impl_info_str());
}

void lower_conv_weight_grad(Emit& e) {
  const Tensor dw = e.out();
  e.needs_arithmetic(dw.dtype);
  if (dw.size() == 0) return;
  const Convolution p = convolution(e, e.in("x"), dw, e.in("dy"));
  if (p.x.size() == 0 || p.y.size() == 0) return emit_fill(e, dw, 0);
  if (pays_as_products(p)) return emit_products(e, p);
  const auto pd = described_or_throw(e, p, compat::conv_weight_desc);
  const memory::desc plain = weights(dw, p.groups), made = pd.diff_weights_desc();
  const Ref at = made == plain ? dw.at : e.workspace(static_cast<int64_t>(made.get_size()));
  Call("conv_weight_grad", dnnl::convolution_backward_weights(pd))
      .with(DNNL_ARG_SRC, pd.src_desc(), p.x.at)
      .with(DNNL_ARG_DIFF_DST, pd.diff_dst_desc(), p.y.at)
      .with(DNNL_ARG_DIFF_WEIGHTS, made, at)
      .with_scratchpad(e, pd.scratchpad_desc())
      .emit(e, p.flops(), pd.impl_info_str());
  if (made != plain) emit_reorder(e, "reorder of conv weights", made, at, plain, dw.at, true);
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ops::conv, .lower = lower_conv},
    {.op = &ops::conv_input_grad, .lower = lower_conv_input_grad},
    {.op = &ops::conv_weight_grad, .lower = lower_conv_weight_grad},
};

}  // namespace

std::span<const Lowering> of_convolution() { return kLowerings; }

}  // namespace weft::onednn
