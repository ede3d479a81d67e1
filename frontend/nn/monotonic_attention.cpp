// frontend/nn/monotonic_attention.cpp -- monotonic attention and chunks, as recurrences along the source.
#include "frontend/nn/monotonic_attention.h"

#include <cmath>
#include <numbers>

namespace weft {
namespace {

// x: T[...,S] -> y_j = x_{j-n}, `value` where there is none
Tensor later(const Tensor& x, int64_t n, double value) {
  return n == 0 ? x : slice(pad(x, -1, n, 0, value), -1, 0, x.dim(-1));
}
// y_j = x_{j+n}, 0 where there is none
Tensor earlier(const Tensor& x, int64_t n) {
  return n == 0 ? x : slice(pad(x, -1, 0, n), -1, n, x.dim(-1) + n);
}

// Of mean 0 and deviation 1, f32[B,inner]                                        (Box and Muller 1958)
Tensor normal(const Scope& p, const Dim& inner, const Noise& noise, const Tensor& position) {
  const Tensor radius = sqrt(log(1 - uniform(p / "radius", {inner}, noise, position)) * -2);
  return radius * cos(uniform(p / "angle", {inner}, noise, position) * (2 * std::numbers::pi));
}

Tensor query(const Scope& p, const Tensor& s, int64_t a) {
  return linear(p / "W", s, a, no_bias) + p.parameter("b", {Dim(a)}, init::zeros());
}

// g v / |v| . tanh(W s + U h_j + b) + r
Tensor monotonic_energy(const Scope& p, const Tensor& s, const Tensor& keys, int64_t a,
                        double bias) {
  const Tensor v = p.parameter("v", {Dim(a)});
  const Tensor g = p.parameter("g", {1}, init::constant(1 / std::sqrt(static_cast<double>(a))));
  const Tensor r = p.parameter("r", {1}, init::constant(bias));
  return additive_scores(query(p, s, a), keys, v * (g * rsqrt(sum(v * v)))) + r;
}

// The probability of stopping at each position, having come there.
Tensor stops(const Scope& p, const Tensor& energy, const MonotonicOptions& options,
             const Noise& noise, const Tensor& position) {
  if (!noise.on()) return cast(energy > 0, f32);
  if (options.noise == 0) return sigmoid(energy);
  return sigmoid(energy + normal(p / "noise", energy.dim(-1), noise, position) * options.noise);
}

// A softmax over each chunk, all of them weighed by where attention stands.
// alignment: T[...,S], scores: T[...,S] -> T[...,S]
Tensor chunk_weights(const Tensor& alignment, const Tensor& scores, int64_t chunk) {
  Tensors behind;  // scores of the position k itself, of the one before, ...
  for (int64_t n = 0; n < chunk; ++n) behind.push_back(later(scores, n, -infinity));
  const Tensor shares = softmax(stack(behind, -1)) * expand(alignment, -1);  // T[...,S,chunk]
  Tensor weights = pick(shares, -1, 0);
  for (int64_t n = 1; n < chunk; ++n) weights = weights + earlier(pick(shares, -1, n), n);
  return weights;
}

}  // namespace

Tensor monotonic_start(const Tensor& h, SourceLoc loc) {
  const CalledFrom from(loc);
  return broadcast(cast(iota(h, h.dim(1)) == 0, f32), {h.dim(0), h.dim(1)});
}

Tensor monotonic_keys(const Scope& p, const Tensor& h, int64_t a, const MonotonicOptions& options,
                      SourceLoc loc) {
  const auto in = p.enter(loc);
  const Tensor keys = additive_keys(p / "monotonic", h, a);
  return options.chunk == 1 ? keys : concat({keys, additive_keys(p / "chunk", h, a)}, -1);
}

MonotonicallyAttended monotonic_attention(const Scope& p, const Tensor& s, const Tensor& h,
                                          const Tensor& mask, const Tensor& before, int64_t a,
                                          const MonotonicOptions& options, const Tensor& keys,
                                          const Noise& noise, const Tensor& position,
                                          SourceLoc loc) {
  const auto in = p.enter(loc);
  if (options.chunk < 1) fail(loc, "a chunk has 1 position or more, found ", options.chunk);
  if (before.rank() != s.rank())
    fail(loc, "monotonic_attention needs an alignment for each state, found ", before.type(),
         " and ", s.type());
  const Tensor both = keys.valid() ? keys : monotonic_keys(p, h, a, options);
  const Tensors k = options.chunk == 1 ? Tensors{both} : split(both, 2);
  const Tensor seen = s.rank() == 3 ? expand(mask, 1) : mask;

  const Tensor energy = monotonic_energy(p / "monotonic", s, k[0], a, options.bias);
  const Tensor stop = where(seen, stops(p, energy, options, noise, position), 0);
  const Tensor reached = linear_recurrence(later(1 - stop, 1, 0), before);
  MonotonicallyAttended attended;
  attended.alignment = stop * reached;
  attended.weights = attended.alignment;
  if (options.chunk > 1) {
    const Scope here = p / "chunk";
    const Tensor scores = additive_scores(query(here, s, a), k[1], here.parameter("v", {Dim(a)}));
    attended.weights =
        chunk_weights(attended.alignment, where(seen, scores, -infinity), options.chunk);
  }
  attended.context =
      s.rank() == 3 ? matmul(attended.weights, h) : sum(expand(attended.weights, -1) * h, 1);
  return attended;
}

}  // namespace weft
