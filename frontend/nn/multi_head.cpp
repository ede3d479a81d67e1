// frontend/nn/multi_head.cpp -- multi-head attention in plain ops.
#include "frontend/nn/multi_head.h"

#include <cmath>

namespace weft {
namespace {

int64_t head_width(int64_t width, const MultiHeadOptions& o) {
  if (o.heads < 1) fail(SourceLoc::here(), "attention needs 1 head or more, found ", o.heads);
  if (o.head_width > 0) return o.head_width;
  if (width % o.heads != 0)
    fail(SourceLoc::here(), "a width of ", width, " is not divided by ", o.heads, " heads");
  return width / o.heads;
}

int64_t width_of(const Tensor& x) {
  if (!x.valid()) fail(SourceLoc::here(), "attention is given a tensor that was never made");
  const auto width = x.rank() == 3 ? x.dim(-1).constant() : std::nullopt;
  if (!width)
    fail(SourceLoc::here(), "attention needs sequences [B,T,M] of a known width, found ", x.type());
  return *width;
}

// T[B,S,M] -> T[B,S,heads,D]
Tensor project(const Scope& p, const Tensor& x, int64_t heads, int64_t d, bool bias) {
  const Tensor y = linear(p, x, heads * d, {.bias = bias});
  return reshape(y, {x.dim(0), x.dim(1), heads, d});
}

Tensor turned(const Tensor& x, const MultiHeadOptions& o) {
  return o.rotation.valid() ? rotated(x, o.rotation) : x;
}

// The weights that dropout keeps, divided by the rate of keeping. Which they are is a function of
// query, key and head, so that it does not depend on padding.
Tensor dropped(const Scope& p, const Tensor& weights, const MultiHeadOptions& o) {
  if (o.dropout == 0 || !o.noise.on()) return weights;
  const Tensor queries = positions_from(weights, weights.dim(2));
  const Tensor keep =  // [T,B,S,heads]
      keep_mask(p, {weights.dim(3), Dim(o.heads)}, o.dropout, o.noise, queries);
  const Tensor scaled = weights * (1 / (1 - o.dropout));
  return where(transpose(keep, {1, 3, 0, 2}), scaled, 0);
}

}  // namespace

Tensor by_head(const Tensor& x) { return transpose(x, {0, 2, 1, 3}); }

double score_scale(int64_t head_width, const MultiHeadOptions& o) {
  return o.scale != 0 ? o.scale : 1 / std::sqrt(static_cast<double>(head_width));
}

Tensor for_all_queries(const Tensor& mask, SourceLoc loc) {
  const CalledFrom from(loc);
  return expand(expand(mask, 1), 1);
}

KeysValues project_keys_values(const Scope& p, const Tensor& memory, int64_t width,
                               const MultiHeadOptions& o, SourceLoc loc) {
  const auto in = p.enter(loc);
  width_of(memory);
  const int64_t d = head_width(width, o);
  return {turned(project(p / "k", memory, o.heads, d, o.bias), o),
          project(p / "v", memory, o.heads, d, o.bias)};
}

Tensor project_queries(const Scope& p, const Tensor& x, const MultiHeadOptions& o, SourceLoc loc) {
  const auto in = p.enter(loc);
  return by_head(turned(project(p / "q", x, o.heads, head_width(width_of(x), o), o.bias), o));
}

MultiHeadAttended attended_heads(const Scope& p, const Tensor& x, const KeysValues& memory,
                                 const Tensor& mask, const Tensor& bias, const MultiHeadOptions& o,
                                 SourceLoc loc) {
  const auto in = p.enter(loc);
  const int64_t d = head_width(width_of(x), o);
  const Tensor q = project_queries(p, x, o);
  const double scale = score_scale(d, o);
  Tensor e = matmul(q, by_head(memory.keys), {.transpose_b = true});  // [B,heads,T,S]
  if (scale != 1) e = e * scale;
  if (bias.valid()) e = e + bias;
  if (mask.valid()) e = where(mask, e, -infinity);
  const Tensor a = softmax(e);
  const Tensor c = by_head(matmul(dropped(p, a, o), by_head(memory.values)));  // [B,T,heads,D]
  return {reshape(c, {x.dim(0), x.dim(1), o.heads * d}), a};
}

MultiHeadAttended multi_head_attention(const Scope& p, const Tensor& x, const KeysValues& memory,
                                       const Tensor& mask, const Tensor& bias,
                                       const MultiHeadOptions& o, SourceLoc loc) {
  const auto in = p.enter(loc);
  const MultiHeadAttended heads = attended_heads(p, x, memory, mask, bias, o);
  return {linear(p / "o", heads.context, width_of(x), {.bias = o.bias}), heads.weights};
}

}  // namespace weft
