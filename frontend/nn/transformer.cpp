// frontend/nn/transformer.cpp -- transformer layers in plain ops.
#include "frontend/nn/transformer.h"

namespace weft {
namespace {

Tensor activated(FeedForwardKind kind, const Tensor& x, const SourceLoc& loc) {
  switch (kind) {
    case FeedForwardKind::relu:
      return relu(x, loc);
    case FeedForwardKind::gelu:
    case FeedForwardKind::geglu:
      return gelu(x, loc);
    case FeedForwardKind::gelu_tanh:
      return gelu_tanh(x, loc);
    case FeedForwardKind::silu:
    case FeedForwardKind::swiglu:
      return silu(x, loc);
  }
  return x;
}

// x + f(norm(x)), or norm(x + f(x)); the parameters of f and of its norm are at p/name.
Tensor residual(const Scope& p, const std::string& name, const Tensor& x,
                const TransformerOptions& o, const SourceLoc& loc,
                const std::function<Tensor(const Tensor&)>& f) {
  const Scope of_norm = p / (name + "_norm");
  const Tensor y = f(o.pre_norm ? norm(of_norm, x, o, loc) : x);
  const Tensor sum = Operand(x, loc) +
                     Operand(dropout(p / (name + "_dropout"), y, o.dropout, o.noise, {}, loc), loc);
  return o.pre_norm ? sum : norm(of_norm, sum, o, loc);
}

int64_t width_of(const Tensor& x, const SourceLoc& loc) {
  const auto width = x.valid() ? x.dim(-1, loc).constant() : std::nullopt;
  if (!width) fail(loc, "a transformer's layer needs sequences [B,T,M] of a known width");
  return *width;
}

}  // namespace

Tensor norm(const Scope& p, const Tensor& x, const TransformerOptions& o, SourceLoc loc) {
  return o.norm == NormKind::rms ? rms_norm(p, x, o.eps, loc) : layer_norm(p, x, o.eps, loc);
}

Tensor feed_forward(const Scope& p, const Tensor& x, const TransformerOptions& o, SourceLoc loc) {
  const auto in = p.enter();
  const LinearOptions options{.bias = o.bias};
  const auto product = [&](std::string_view name, const Tensor& from, int64_t n) {
    return linear(p / name, from, n, options, loc);
  };
  const int64_t width = width_of(x, loc);
  Tensor h = activated(o.activation, product("in", x, o.feed_forward), loc);
  if (o.activation == FeedForwardKind::geglu || o.activation == FeedForwardKind::swiglu)
    h = Operand(h, loc) * Operand(product("gate", x, o.feed_forward), loc);
  return product("out", dropout(p / "dropout", h, o.dropout, o.noise, {}, loc), width);
}

Tensor encoder_layer(const Scope& p, const Tensor& x, const Tensor& mask, const Tensor& bias,
                     const TransformerOptions& o, SourceLoc loc) {
  const auto in = p.enter();
  const int64_t width = width_of(x, loc);
  const Scope self = p / "self";
  const Tensor y = residual(p, "self", x, o, loc, [&](const Tensor& h) {
    return multi_head_attention(self, h, project_keys_values(self, h, width, o.attention, loc),
                                mask, bias, o.attention, loc)
        .context;
  });
  return residual(p, "feed_forward", y, o, loc,
                  [&](const Tensor& h) { return feed_forward(p / "feed_forward", h, o, loc); });
}

KeysValues decoder_memory(const Scope& p, const Tensor& h, const TransformerOptions& o,
                          SourceLoc loc) {
  const auto in = p.enter();
  return project_keys_values(p / "cross", h, width_of(h, loc), o.attention, loc);
}

DecoderLayer decoder_layer(const Scope& p, const Tensor& x, const DecoderView& view,
                           const TransformerOptions& o, SourceLoc loc) {
  const auto in = p.enter();
  const int64_t width = width_of(x, loc);
  const Scope self = p / "self";
  DecoderLayer layer;
  Tensor y = residual(p, "self", x, o, loc, [&](const Tensor& h) {
    const KeysValues own = project_keys_values(self, h, width, o.attention, loc);
    return multi_head_attention(self, h, view.past ? view.past(own) : own, view.self_mask,
                                view.self_bias, o.attention, loc)
        .context;
  });
  y = residual(p, "cross", y, o, loc, [&](const Tensor& h) {
    const MultiHeadAttended a =
        multi_head_attention(p / "cross", h, view.memory, view.memory_mask, {}, o.attention, loc);
    layer.weights = a.weights;
    return a.context;
  });
  layer.x = residual(p, "feed_forward", y, o, loc,
                     [&](const Tensor& h) { return feed_forward(p / "feed_forward", h, o, loc); });
  return layer;
}

}  // namespace weft
