// frontend/nn/convolution.cpp -- options as attributes of the ops.
#include "frontend/nn/convolution.h"

namespace weft {
namespace {

namespace ops = ir::ops;

// What is written once for all axes, an entry each.
ir::Integers spread(const PerAxis& per_axis, size_t axes, std::string_view what,
                    std::string_view of, const SourceLoc& loc) {
  ir::Integers list = per_axis.list;
  if (list.size() == 1) list.assign(axes, list[0]);
  if (list.size() != axes)
    fail(loc, "'", of, "' needs ", what, " for ", axes, axes == 1 ? " axis" : " axes", ", found ",
         list.size());
  return list;
}

// The same; nothing where all are `usual`.
ir::Integers entries(const PerAxis& per_axis, size_t axes, int64_t usual, std::string_view what,
                     std::string_view of, const SourceLoc& loc) {
  const ir::Integers list = spread(per_axis, axes, what, of, loc);
  return list == ir::Integers(axes, usual) ? ir::Integers{} : list;
}

int64_t entry(const ir::Integers& list, size_t i, int64_t usual) {
  return list.empty() ? usual : list[i];
}

// Zeros that make ceil(size / stride) positions of `size` elements.
int64_t zeros_for(const Dim& size, int64_t stride, int64_t covered, std::string_view of,
                  const SourceLoc& loc) {
  if (stride == 1) return covered - 1;
  const auto n = size.constant();
  if (!n)
    fail(loc, "'", of, "' with a stride of ", stride,
         " cannot tell how many zeros keep an axis of ", size,
         " elements the same: give low and high");
  return std::max<int64_t>((*n + stride - 1) / stride * stride - stride + covered - *n, 0);
}

// strides, dilations, low and high for windows of these sizes over the axes of x.
ir::Attrs window_attrs(const Tensor& x, const Shape& window, const PerAxis& stride,
                       const PerAxis& dilation, const Padding& padding, std::string_view of,
                       const SourceLoc& loc) {
  const size_t axes = window.size();
  const ir::Integers strides = entries(stride, axes, 1, "a stride", of, loc),
                     dilations = entries(dilation, axes, 1, "a dilation", of, loc);
  ir::Integers low(axes, 0), high(axes, 0);
  if (padding.kind == Padding::Kind::given) {
    low = entries(padding.low, axes, 0, "padding", of, loc);
    high = entries(padding.high, axes, 0, "padding", of, loc);
  } else {
    for (size_t i = 0; i < axes; ++i) {
      const auto k = window[i].constant();
      if (!k) fail(loc, "'", of, "' needs a window of a known size, found ", window[i]);
      const int64_t covered = (*k - 1) * entry(dilations, i, 1) + 1;
      if (padding.kind == Padding::Kind::causal) {
        low[i] = covered - 1;
        continue;
      }
      const int64_t zeros = zeros_for(x.shape()[i + 1], entry(strides, i, 1), covered, of, loc);
      low[i] = zeros / 2;
      high[i] = zeros - low[i];
    }
  }
  ir::Attrs attrs;
  for (const auto& [name, list] : {std::pair("strides", strides), {"dilations", dilations}})
    if (!list.empty()) attrs.set(name, list);
  for (const auto& [name, list] : {std::pair("low", low), {"high", high}})
    if (list != ir::Integers(list.size(), 0)) attrs.set(name, list);
  return attrs;
}

void check_rank(const Tensor& x, int rank, std::string_view what, std::string_view of,
                const SourceLoc& loc) {
  if (!x.valid()) fail(loc, "'", of, "' is given a tensor that was never made");
  if (x.rank() != rank)
    fail(loc, "'", of, "' needs ", what, " of rank ", rank, ", found ", x.type());
}

Shape window_of(const Tensor& w) {
  const Shape shape = w.shape();
  return {shape.begin(), shape.end() - 2};
}

Tensor conv(const Tensor& x, const Tensor& w, const std::optional<Tensor>& bias,
            const ConvOptions& o, int axes, std::string_view of, const SourceLoc& loc) {
  check_rank(x, axes + 2, "x", of, loc);
  check_rank(w, axes + 2, "w", of, loc);
  ir::Attrs attrs = window_attrs(x, window_of(w), o.stride, o.dilation, o.padding, of, loc);
  attrs.set("groups", o.groups);
  return apply(ops::conv, {{x}, {w}, bias ? Tensors{*bias} : Tensors{}}, attrs, loc)[0];
}

Tensor layer(const Scope& p, const Tensor& x, const Dim& n, const PerAxis& window,
             const ConvOptions& o, int axes, std::string_view of, const SourceLoc& loc) {
  check_rank(x, axes + 2, "x", of, loc);
  const auto in = p.enter();
  const ir::Integers sizes = spread(window, static_cast<size_t>(axes), "a window size", of, loc);
  Shape shape(sizes.begin(), sizes.end());
  const Dim channels = x.dim(-1, loc);
  const auto each = o.groups < 1 ? std::nullopt : channels.divided_by(Dim(o.groups));
  if (!each)
    fail(loc, "'", of, "' cannot cut ", channels, " channels of x into ", o.groups, " groups");
  shape.push_back(*each);
  shape.push_back(n);
  if (!o.bias) return conv(x, p.parameter(shape, o.weight, loc), std::nullopt, o, axes, of, loc);
  return conv(x, p.parameter("W", shape, o.weight, loc), p.parameter("b", {n}, init::zeros(), loc),
              o, axes, of, loc);
}

Tensor transposed(const Tensor& x, const Tensor& w, const ConvOptions& o, int64_t more, int axes,
                  std::string_view of, const SourceLoc& loc) {
  check_rank(x, axes + 2, "x", of, loc);
  check_rank(w, axes + 2, "w", of, loc);
  if (o.padding.kind == Padding::Kind::same)
    fail(loc, "'", of, "' needs padding in numbers or causal");
  const Shape window = window_of(w);
  ir::Attrs attrs = window_attrs(x, window, o.stride, o.dilation, o.padding, of, loc);
  const auto at = [&](std::string_view name, size_t i, int64_t usual) {
    const ir::Attr* list = attrs.find(name);
    return list == nullptr ? usual : std::get<ir::Integers>(*list)[i];
  };
  Shape size;
  for (size_t i = 0; i < window.size(); ++i)
    size.push_back((x.shape()[i + 1] - 1) * at("strides", i, 1) +
                   (window[i] - 1) * at("dilations", i, 1) + 1 - at("low", i, 0) -
                   at("high", i, 0) + more);
  attrs.set("groups", o.groups);
  attrs.set("size", size);
  return apply(ops::conv_input_grad, {{x}, {w}}, attrs, loc)[0];
}

Tensor pool(const ir::OpDef& op, const Tensor& x, const PerAxis& window, const PoolOptions& o,
            int axes, std::string_view of, const SourceLoc& loc) {
  check_rank(x, axes + 2, "x", of, loc);
  const ir::Integers sizes = spread(window, static_cast<size_t>(axes), "a window size", of, loc);
  ir::Attrs attrs = window_attrs(x, {sizes.begin(), sizes.end()}, o.stride.value_or(window), 1,
                                 o.padding, of, loc);
  attrs.set("window", sizes);
  if (&op == &ops::avg_pool) attrs.set("count_padding", o.count_padding);
  return apply(op, {{x}}, attrs, loc)[0];
}

}  // namespace

Tensor conv1d(const Tensor& x, const Tensor& w, const std::optional<Tensor>& bias,
              const ConvOptions& options, SourceLoc loc) {
  return conv(x, w, bias, options, 1, "conv1d", loc);
}
Tensor conv2d(const Tensor& x, const Tensor& w, const std::optional<Tensor>& bias,
              const ConvOptions& options, SourceLoc loc) {
  return conv(x, w, bias, options, 2, "conv2d", loc);
}
Tensor conv1d(const Scope& p, const Tensor& x, const Dim& n, int64_t window,
              const ConvOptions& options, SourceLoc loc) {
  return layer(p, x, n, window, options, 1, "conv1d", loc);
}
Tensor conv2d(const Scope& p, const Tensor& x, const Dim& n, const PerAxis& window,
              const ConvOptions& options, SourceLoc loc) {
  return layer(p, x, n, window, options, 2, "conv2d", loc);
}
Tensor conv_transpose1d(const Tensor& x, const Tensor& w, const ConvOptions& options, int64_t more,
                        SourceLoc loc) {
  return transposed(x, w, options, more, 1, "conv_transpose1d", loc);
}
Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const ConvOptions& options, int64_t more,
                        SourceLoc loc) {
  return transposed(x, w, options, more, 2, "conv_transpose2d", loc);
}

Tensor max_pool1d(const Tensor& x, int64_t window, const PoolOptions& options, SourceLoc loc) {
  return pool(ops::max_pool, x, window, options, 1, "max_pool1d", loc);
}
Tensor max_pool2d(const Tensor& x, const PerAxis& window, const PoolOptions& options,
                  SourceLoc loc) {
  return pool(ops::max_pool, x, window, options, 2, "max_pool2d", loc);
}
Tensor avg_pool1d(const Tensor& x, int64_t window, const PoolOptions& options, SourceLoc loc) {
  return pool(ops::avg_pool, x, window, options, 1, "avg_pool1d", loc);
}
Tensor avg_pool2d(const Tensor& x, const PerAxis& window, const PoolOptions& options,
                  SourceLoc loc) {
  return pool(ops::avg_pool, x, window, options, 2, "avg_pool2d", loc);
}

}  // namespace weft
