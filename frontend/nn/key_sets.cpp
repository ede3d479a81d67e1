// frontend/nn/key_sets.cpp -- two attentions and what puts them together.
#include "frontend/nn/key_sets.h"

namespace weft {
namespace {

struct OfSet {
  Tensor context, weights, lse;  // T[B,heads,T,D], T[B,heads,T,N], T[B,heads,T,1]
};

// q: T[B,heads,T,D]
OfSet attended(const Scope& p, const Tensor& q, const KeySet& set, const MultiHeadOptions& o) {
  const auto group = [](const Tensor& x) { return x.valid() ? Tensors{x} : Tensors{}; };
  ir::Attrs attrs{{"scale", score_scale(q.dim(-1).constant().value_or(1), o)},
                  {"band", set.band},
                  {"by_distance", set.by_distance},
                  {"weights", true},
                  {"lse", true}};
  Tensors step, rows, position;
  if (o.dropout > 0 && o.noise.on()) {
    step = {o.noise.step}, rows = {o.noise.rows}, position = {positions_from(q, q.dim(2))};
    attrs.set("keep", 1 - o.dropout);
    attrs.set("stream", next_stream(p, o.noise));
    attrs.set("inner_axes", ir::Integers{-1, -3});
  }
  const Tensors made = apply(ir::ops::attention,
                             {{q},
                              {by_head(set.memory.keys)},
                              {by_head(set.memory.values)},
                              {},
                              group(set.mask),
                              group(set.bias),
                              step,
                              rows,
                              position},
                             attrs);
  // Of no keys, as of keys that count for nothing: differences and gradients stay numbers.
  return {made[0], made[1], expand(maximum(made[2], -1e30), -1)};
}

}  // namespace

KeySetsAttended attended_key_sets(const Scope& p, const Tensor& x, const KeySet& first,
                                  const KeySet& second, const MultiHeadOptions& o, SourceLoc loc) {
  const auto in = p.enter(loc);
  const Tensor q = project_queries(p, x, o);
  const OfSet a = attended(p, q, first, o), b = attended(p, q, second, o);
  const Tensor of_a = sigmoid(a.lse - b.lse), of_b = sigmoid(b.lse - a.lse);
  const Tensor c = by_head(of_a * a.context + of_b * b.context);  // [B,T,heads,D]
  return {reshape(c, {x.dim(0), x.dim(1), c.dim(2) * c.dim(3)}), of_a * a.weights,
          of_b * b.weights};
}

}  // namespace weft
