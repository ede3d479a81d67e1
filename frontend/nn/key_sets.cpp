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
  const Tensors keys{by_head(set.memory.keys)}, values{by_head(set.memory.values)};
  const ir::Attrs scores{{"scale", score_scale(q.dim(-1).constant().value_or(1), o)},
                         {"band", set.band},
                         {"by_distance", set.by_distance}};
  ir::Attrs attrs = scores, weighed = scores;
  attrs.set("lse", true);
  weighed.set("weights", true);
  Tensors step, rows, position;
  if (o.dropout > 0 && o.noise.on()) {
    step = {o.noise.step}, rows = {o.noise.rows}, position = {positions_from(q, q.dim(2))};
    attrs.set("keep", 1 - o.dropout);
    attrs.set("stream", next_stream(p, o.noise));
    attrs.set("inner_axes", ir::Integers{-1, -3});
  }
  const Tensors mask = group(set.mask), bias = group(set.bias);
  const auto emit = [&](ir::Attrs given) {
    return apply(ir::ops::attention, {{q}, keys, values, {}, mask, bias, step, rows, position},
                 std::move(given));
  };
  const Tensors made = emit(attrs);
  // Weights come from an op of their own, which is dead where nobody reads them.
  step = rows = position = {};
  const Tensor weights = emit(weighed)[1];
  // No key is like keys that count for nothing: differences and gradients stay numbers.
  return {made[0], weights, expand(maximum(made[1], -1e30), -1)};
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
