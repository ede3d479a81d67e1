// frontend/nn/multi_head.cpp -- multi-head attention in plain ops.
#include "frontend/nn/multi_head.h"

#include "frontend/nn/positions.h"

#include <cmath>

namespace weft {
namespace {

int64_t head_width(int64_t width, const MultiHeadOptions& o, const SourceLoc& loc) {
  if (o.heads < 1) fail(loc, "attention needs 1 head or more, found ", o.heads);
  if (o.head_width > 0) return o.head_width;
  if (width % o.heads != 0)
    fail(loc, "a width of ", width, " is not divided by ", o.heads, " heads");
  return width / o.heads;
}

int64_t width_of(const Tensor& x, const SourceLoc& loc) {
  if (!x.valid()) fail(loc, "attention is given a tensor that was never made");
  const auto width = x.rank() == 3 ? x.dim(-1, loc).constant() : std::nullopt;
  if (!width) fail(loc, "attention needs sequences [B,T,M] of a known width, found ", x.type());
  return *width;
}

// T[B,S,M] -> T[B,S,heads,D]
Tensor project(const Scope& p, const Tensor& x, int64_t heads, int64_t d, bool bias,
               const SourceLoc& loc) {
  const Tensor y = linear(p, x, heads * d, {.bias = bias}, loc);
  return reshape(y, {x.dim(0, loc), x.dim(1, loc), heads, d}, loc);
}

// T[B,S,heads,D] -> T[B,heads,S,D]
Tensor by_head(const Tensor& x, const SourceLoc& loc) { return transpose(x, {0, 2, 1, 3}, loc); }

// The weights that dropout keeps, divided by the rate of keeping. Which they are is a function of
// query, key and head, so that it does not depend on padding.
Tensor dropped(const Scope& p, const Tensor& weights, const MultiHeadOptions& o,
               const SourceLoc& loc) {
  if (o.dropout == 0 || !o.noise.on()) return weights;
  const Tensor queries = positions_from(weights, weights.dim(2, loc), {}, loc);
  const Tensor keep =  // [T,B,S,heads]
      keep_mask(p, {weights.dim(3, loc), Dim(o.heads)}, o.dropout, o.noise, queries, loc);
  const Tensor scaled = Operand(weights, loc) * Operand(1 / (1 - o.dropout), loc);
  return where(Operand(transpose(keep, {1, 3, 0, 2}, loc), loc), Operand(scaled, loc),
               Operand(0, loc));
}

}  // namespace

Tensor for_all_queries(const Tensor& mask, SourceLoc loc) {
  return expand(expand(mask, 1, loc), 1, loc);
}

KeysValues project_keys_values(const Scope& p, const Tensor& memory, int64_t width,
                               const MultiHeadOptions& o, SourceLoc loc) {
  width_of(memory, loc);
  const auto in = p.enter();
  const int64_t d = head_width(width, o, loc);
  return {project(p / "k", memory, o.heads, d, o.bias, loc),
          project(p / "v", memory, o.heads, d, o.bias, loc)};
}

MultiHeadAttended multi_head_attention(const Scope& p, const Tensor& x, const KeysValues& memory,
                                       const Tensor& mask, const Tensor& bias,
                                       const MultiHeadOptions& o, SourceLoc loc) {
  const auto in = p.enter();
  const int64_t width = width_of(x, loc), d = head_width(width, o, loc);
  const Tensor q = by_head(project(p / "q", x, o.heads, d, o.bias, loc), loc);
  const double scale = o.scale != 0 ? o.scale : 1 / std::sqrt(static_cast<double>(d));
  Tensor e = matmul(q, by_head(memory.keys, loc), {.transpose_b = true}, loc);  // [B,heads,T,S]
  e = Operand(e, loc) * Operand(scale, loc);
  if (bias.valid()) e = Operand(e, loc) + Operand(bias, loc);
  if (mask.valid()) e = where(Operand(mask, loc), Operand(e, loc), Operand(-infinity, loc));
  const Tensor a = softmax(e, -1, loc);
  const Tensor c = by_head(matmul(dropped(p, a, o, loc), by_head(memory.values, loc), {}, loc),
                           loc);  // [B,T,heads,D]
  const Tensor joined = reshape(c, {x.dim(0, loc), x.dim(1, loc), o.heads * d}, loc);
  return {linear(p / "o", joined, width, {.bias = o.bias}, loc), a};
}

}  // namespace weft
