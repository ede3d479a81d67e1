// backends/onednn/lower/convolution.cpp -- convolutions and their adjoints as oneDNN primitives.
//
// x and y lie channels-last, as all values do; oneDNN chooses how it wants w, which is put in that
// order before (or out of it after) where it is another one. The adjoint of w over one long axis is
// done as matrix products, which are several times as fast.
#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "backends/onednn/machine/compat.h"
#include "backends/onednn/machine/engine.h"
#include "ir/ops/all.h"

#include <algorithm>

namespace weft::onednn {
namespace {

using dnnl::memory;
namespace ops = ir::ops;

// T[B,s...,C] as oneDNN names its axes: B, C, s...
memory::desc channels_last(const Tensor& t) {
  memory::dims dims{t.dims.front(), t.dims.back()}, strides{t.strides.front(), t.strides.back()};
  dims.insert(dims.end(), t.dims.begin() + 1, t.dims.end() - 1);
  strides.insert(strides.end(), t.strides.begin() + 1, t.strides.end() - 1);
  return {dims, memory::data_type::f32, strides};
}

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

// A primitive and the places of its arguments.
struct Call {
  dnnl::primitive primitive;
  struct Argument {
    int name;
    memory::desc desc;
    Ref at;
  };
  std::vector<Argument> arguments;

  // Resolved when it runs; what it captures is made once.
  std::function<void(const Run&)> on(const Engine& engine) const {
    struct Bound {
      dnnl::primitive primitive;
      std::vector<memory> memories;
      std::vector<Ref> refs;
      std::vector<dnnl_exec_arg_t> args;
    };
    const auto bound = std::make_shared<Bound>();
    bound->primitive = primitive;
    for (const Argument& a : arguments) {
      bound->memories.push_back(memory(a.desc, engine.dnnl(), DNNL_MEMORY_NONE));
      bound->refs.push_back(a.at);
      bound->args.push_back({a.name, bound->memories.back().get()});
    }
    return [bound, stream = engine.stream()](const Run& run) {
      for (size_t i = 0; i < bound->args.size(); ++i)
        dnnl_memory_set_data_handle(bound->args[i].memory, run(bound->refs[i]));
      const dnnl_status_t status = dnnl_primitive_execute(
          bound->primitive.get(), stream, static_cast<int>(bound->args.size()), bound->args.data());
      if (status != dnnl_success)
        throw ir::RuntimeError(ir::concat("error: oneDNN's conv failed with status ", status));
    };
  }
};

void emit_reorder(Emit& e, const memory::desc& from, Ref source, const memory::desc& to,
                  Ref target) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::reorder::primitive_desc pd(e.engine().dnnl(), from, e.engine().dnnl(), to, attr);
  Call call{dnnl::reorder(pd), {{DNNL_ARG_FROM, from, source}, {DNNL_ARG_TO, to, target}}};
  if (const size_t scratch = pd.scratchpad_desc().get_size(); scratch > 0)
    call.arguments.push_back(
        {DNNL_ARG_SCRATCHPAD, pd.scratchpad_desc(), e.workspace(static_cast<int64_t>(scratch))});
  e.kernel("reorder of conv weights", 0, call.on(e.engine()), pd.impl_info_str());
}

struct Product {
  Tensor x, w, y;
  std::optional<Tensor> bias;
  int64_t groups;
  compat::Convolution desc;

  double flops() const {
    double n = 2.0 * static_cast<double>(y.size()) * static_cast<double>(w.size());
    return n / static_cast<double>(y.dim(-1));
  }
};

Product product(const Emit& e, const Tensor& x, const Tensor& w, const Tensor& y) {
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

// Throws where oneDNN has only its reference loops, which are a hundred times slower, or none.
template <typename Make>
auto described(Emit& e, const Product& p, Make make) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  std::string why;
  try {
    auto pd = make(e.engine().dnnl(), p.desc, attr);
    if (std::string(pd.impl_info_str()).rfind("ref", 0) != 0) return pd;
    why = "it has reference loops only";
  } catch (const dnnl::error& error) {
    why = ir::concat(error.what(), " (status ", error.status, ")");
  }
  throw ir::RuntimeError(ir::concat(e.op.node().from.loc.str(), ": error: oneDNN makes no '",
                                    e.op.def().name, "' of x ", str(p.x), ", w ", str(p.w),
                                    " and y ", str(p.y), ": ", why));
}

template <typename Desc>
void add_scratchpad(Emit& e, const Desc& pd, Call& call) {
  if (const size_t scratch = pd.scratchpad_desc().get_size(); scratch > 0)
    call.arguments.push_back(
        {DNNL_ARG_SCRATCHPAD, pd.scratchpad_desc(), e.workspace(static_cast<int64_t>(scratch))});
}

// Where w lies in the layout wanted, put there first if need be.
Ref in_layout(Emit& e, const Product& p, const memory::desc& wanted) {
  const memory::desc plain = weights(p.w, p.groups);
  if (wanted == plain) return p.w.at;
  const Ref at = e.workspace(static_cast<int64_t>(wanted.get_size()));
  emit_reorder(e, plain, p.w.at, wanted, at);
  return at;
}

// Of long sequences with many channels, in so many products that making them is quick.
bool pays_as_products(const Product& p) {
  return p.groups == 1 && p.x.rank() == 3 && p.x.dim(-1) >= 32 && p.y.dim(-1) >= 32 &&
         p.y.dim(1) >= 256 && p.x.dim(0) * p.w.dim(0) <= 256;
}

// For each place in the window: the rows of x that it meets, transposed, times those of dy, one
// sequence after the other.
void emit_products(Emit& e, const Product& p) {
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
  Product p = product(e, e.in("x"), e.in("w"), y);
  if (e.has("bias")) {
    p.bias = e.in("bias");
    p.desc.bias = memory::desc({y.dim(-1)}, memory::data_type::f32, memory::dims{1});
  }
  if (p.x.size() == 0)  // no channels
    return p.bias ? emit_copy(e, broadcast_to(*p.bias, y.dims), y) : emit_fill(e, y, 0);
  const auto pd = described(e, p, compat::conv_desc);
  Call call{dnnl::convolution_forward(pd),
            {{DNNL_ARG_SRC, pd.src_desc(), p.x.at},
             {DNNL_ARG_WEIGHTS, pd.weights_desc(), in_layout(e, p, pd.weights_desc())},
             {DNNL_ARG_DST, pd.dst_desc(), y.at}}};
  if (p.bias) call.arguments.push_back({DNNL_ARG_BIAS, *p.desc.bias, p.bias->at});
  add_scratchpad(e, pd, call);
  e.kernel("conv", p.flops(), call.on(e.engine()), pd.impl_info_str());
}

void lower_conv_input_grad(Emit& e) {
  const Tensor dx = e.out();
  e.needs_arithmetic(dx.dtype);
  if (dx.size() == 0) return;
  const Product p = product(e, dx, e.in("w"), e.in("dy"));
  if (p.y.size() == 0) return emit_fill(e, dx, 0);
  const auto pd = described(e, p, compat::conv_input_desc);
  Call call{dnnl::convolution_backward_data(pd),
            {{DNNL_ARG_DIFF_DST, pd.diff_dst_desc(), p.y.at},
             {DNNL_ARG_WEIGHTS, pd.weights_desc(), in_layout(e, p, pd.weights_desc())},
             {DNNL_ARG_DIFF_SRC, pd.diff_src_desc(), dx.at}}};
  add_scratchpad(e, pd, call);
  e.kernel("conv_input_grad", p.flops(), call.on(e.engine()), pd.impl_info_str());
}

void lower_conv_weight_grad(Emit& e) {
  const Tensor dw = e.out();
  e.needs_arithmetic(dw.dtype);
  if (dw.size() == 0) return;
  const Product p = product(e, e.in("x"), dw, e.in("dy"));
  if (p.x.size() == 0 || p.y.size() == 0) return emit_fill(e, dw, 0);
  if (pays_as_products(p)) return emit_products(e, p);
  const auto pd = described(e, p, compat::conv_weight_desc);
  const memory::desc plain = weights(dw, p.groups), made = pd.diff_weights_desc();
  const Ref at = made == plain ? dw.at : e.workspace(static_cast<int64_t>(made.get_size()));
  Call call{dnnl::convolution_backward_weights(pd),
            {{DNNL_ARG_SRC, pd.src_desc(), p.x.at},
             {DNNL_ARG_DIFF_DST, pd.diff_dst_desc(), p.y.at},
             {DNNL_ARG_DIFF_WEIGHTS, made, at}}};
  add_scratchpad(e, pd, call);
  e.kernel("conv_weight_grad", p.flops(), call.on(e.engine()), pd.impl_info_str());
  if (made != plain) emit_reorder(e, made, at, plain, dw.at);
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
