// frontend/nn/light_convolution.cpp -- in plain ops: depthwise convolutions, or sums of moved
// sequences.
#include "frontend/nn/light_convolution.h"

#include "frontend/nn/convolution.h"

namespace weft {
namespace {

int64_t width_of(const Tensor& x, const LightOptions& o, const SourceLoc& loc) {
  const auto width = x.valid() && x.rank() >= 2 ? x.dim(-1).constant() : std::nullopt;
  if (!width) fail(loc, "a light convolution needs sequences of a known width");
  if (o.heads < 1 || *width % o.heads != 0)
    fail(loc, "a width of ", *width, " is not divided by ", o.heads, " heads");
  if (o.width < 2 || (!o.causal && o.width % 2 == 0))
    fail(loc, "a light convolution needs a window of ", o.causal ? "" : "an odd number of ",
         "2 positions or more, found ", o.width);
  return *width;
}

Tensor entered(const Scope& p, const Tensor& x, int64_t width, const LightOptions& o) {
  return glu(linear(p / "in", x, 2 * width, {.bias = o.bias}));
}

Tensor left(const Scope& p, const Tensor& y, int64_t width, const LightOptions& o) {
  return linear(p / "out", y, width, {.bias = o.bias});
}

// The weights of all channels: T[K,M].
Tensor shared_weights(const Scope& p, int64_t width, const LightOptions& o) {
  const Tensor w = softmax(p.parameter("kernel", {o.heads, o.width}));
  const Tensor by_head =
      broadcast(expand(swap_axes(w, 0, 1), -1), {o.width, o.heads, width / o.heads});
  return reshape(by_head, {o.width, width});
}

// Of each position, T[...,M] -> T[...,heads,K].
Tensor own_weights(const Scope& p, const Tensor& x, const LightOptions& o) {
  Shape shape = x.shape();
  shape.back() = o.heads;
  shape.push_back(o.width);
  return softmax(reshape(linear(p / "kernel", x, o.heads * o.width, no_bias), shape));
}

}  // namespace

Tensor light_convolution(const Scope& p, const Tensor& x, const Tensor& mask, const LightOptions& o,
                         SourceLoc loc) {
  const auto in = p.enter(loc);
  const int64_t width = width_of(x, o, loc);
  if (x.rank() != 3) fail(loc, "'light_convolution' needs x of [B,T,M], found ", x.type());
  Tensor v = entered(p, x, width, o);
  if (mask.valid()) v = where(expand(mask, -1), v, 0);
  if (!o.dynamic) {
    const Tensor w = expand(shared_weights(p, width, o), 1);  // [K,1,M]
    const Padding padding = o.causal ? Padding::causal() : Padding::same();
    return left(p, conv1d(v, w, std::nullopt, {.padding = padding, .groups = width}), width, o);
  }
  const Dim b = x.dim(0), t = x.dim(1);
  const int64_t before = o.causal ? o.width - 1 : o.width / 2;
  const Tensor w = own_weights(p, v, o);  // [B,T,heads,K]
  const Tensor all =
      pad(reshape(v, {b, t, o.heads, width / o.heads}), 1, before, o.width - 1 - before);
  Tensor y;
  for (int64_t k = 0; k < o.width; ++k) {
    const Tensor term = slice(w, -1, k, k + 1) * slice(all, 1, k, t + k);
    y = y.valid() ? y + term : term;
  }
  return left(p, reshape(y, {b, t, width}), width, o);
}

LightStep light_convolution_step(const Scope& p, const Tensor& x, const Tensor& past,
                                 const LightOptions& o, SourceLoc loc) {
  const auto in = p.enter(loc);
  const int64_t width = width_of(x, o, loc);
  if (!o.causal) fail(loc, "'light_convolution_step' is of a causal one");
  const Tensor v = entered(p, x, width, o);             // [R,M]
  const Tensor seen = concat({past, expand(v, 1)}, 1);  // [R,K,M]
  const Tensor next = slice(seen, 1, 1, o.width);
  if (!o.dynamic) return {left(p, sum(seen * shared_weights(p, width, o), 1), width, o), next};
  const Dim r = x.dim(0);
  const Tensor w = expand(swap_axes(own_weights(p, v, o), 1, 2), -1);  // [R,K,heads,1]
  const Tensor heads = reshape(seen, {r, o.width, o.heads, width / o.heads});
  return {left(p, reshape(sum(heads * w, 1), {r, width}), width, o), next};
}

}  // namespace weft
