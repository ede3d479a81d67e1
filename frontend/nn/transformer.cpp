// frontend/nn/transformer.cpp -- transformer layers in plain ops.
#include "frontend/nn/transformer.h"

namespace weft {
namespace {

Tensor activated(FeedForwardKind kind, const Tensor& x) {
  switch (kind) {
    case FeedForwardKind::relu:
    case FeedForwardKind::reglu:
      return relu(x);
    case FeedForwardKind::gelu:
    case FeedForwardKind::geglu:
      return gelu(x);
    case FeedForwardKind::gelu_tanh:
    case FeedForwardKind::geglu_tanh:
      return gelu_tanh(x);
    case FeedForwardKind::silu:
    case FeedForwardKind::swiglu:
      return silu(x);
  }
  return x;
}

// x + f(norm(x)), or norm(x + f(x)); the parameters of f and of its norm are at p/name.
Tensor residual(const Scope& p, const std::string& name, const Tensor& x,
                const TransformerOptions& o, const std::function<Tensor(const Tensor&)>& f) {
  const Scope of_norm = p / (name + "_norm");
  const Tensor y = f(o.pre_norm ? norm(of_norm, x, o) : x);
  const Tensor sum = x + dropout(p / (name + "_dropout"), y, o.dropout, o.noise);
  return o.pre_norm ? sum : norm(of_norm, sum, o);
}

int64_t width_of(const Tensor& x) {
  const auto width = x.valid() ? x.dim(-1).constant() : std::nullopt;
  if (!width)
    fail(SourceLoc::here(), "a transformer's layer needs sequences [B,T,M] of a known width");
  return *width;
}

}  // namespace

bool is_gated(FeedForwardKind kind) {
  using enum FeedForwardKind;
  return kind == reglu || kind == geglu || kind == geglu_tanh || kind == swiglu;
}

Tensor norm(const Scope& p, const Tensor& x, const TransformerOptions& o, SourceLoc loc) {
  const CalledFrom from(loc);
  return o.norm == NormKind::rms ? rms_norm(p, x, o.eps) : layer_norm(p, x, o.eps);
}

Tensor feed_forward(const Scope& p, const Tensor& x, const TransformerOptions& o, SourceLoc loc) {
  const auto in = p.enter(loc);
  const LinearOptions options{.bias = o.bias};
  const auto product = [&](std::string_view name, const Tensor& from, int64_t n) {
    return linear(p / name, from, n, options);
  };
  const int64_t width = width_of(x);
  Tensor h = activated(o.activation, product("in", x, o.feed_forward));
  if (is_gated(o.activation)) h = h * product("gate", x, o.feed_forward);
  const double rate = o.activation_dropout < 0 ? o.dropout : o.activation_dropout;
  return product("out", dropout(p / "dropout", h, rate, o.noise), width);
}

EncoderLayer encoder_layer(const Scope& p, const Tensor& x, const SelfAttention& attend,
                           const TransformerOptions& o, SourceLoc loc) {
  const auto in = p.enter(loc);
  EncoderLayer layer;
  const Tensor y = residual(p, "self", x, o, [&](const Tensor& h) {
    const MultiHeadAttended a = attend(p / "self", h);
    layer.weights = a.weights;
    return a.context;
  });
  layer.x = residual(p, "feed_forward", y, o,
                     [&](const Tensor& h) { return feed_forward(p / "feed_forward", h, o); });
  return layer;
}

EncoderLayer encoder_layer(const Scope& p, const Tensor& x, const Tensor& mask, const Tensor& bias,
                           const TransformerOptions& o, SourceLoc loc) {
  const int64_t width = width_of(x);
  const auto attend = [&](const Scope& self, const Tensor& h) {
    return multi_head_attention(self, h, project_keys_values(self, h, width, o.attention), mask,
                                bias, o.attention);
  };
  return encoder_layer(p, x, attend, o, std::move(loc));
}

KeysValues decoder_memory(const Scope& p, const Tensor& h, const TransformerOptions& o,
                          SourceLoc loc) {
  const auto in = p.enter(loc);
  return project_keys_values(p / "cross", h, width_of(h), o.attention);
}

DecoderLayer decoder_layer(const Scope& p, const Tensor& x, const DecoderSources& view,
                           const TransformerOptions& o, SourceLoc loc) {
  const auto in = p.enter(loc);
  const int64_t width = width_of(x);
  const Scope self = p / "self";
  DecoderLayer layer;
  MultiHeadOptions of_self = o.attention;
  of_self.rotation = view.rotation;
  const auto attend = [&](const Scope&, const Tensor& h) {
    const KeysValues own = project_keys_values(self, h, width, of_self);
    return multi_head_attention(self, h, view.past ? view.past(own) : own, view.self_mask,
                                view.self_bias, of_self);
  };
  Tensor y = residual(p, "self", x, o, [&](const Tensor& h) {
    const MultiHeadAttended a = view.self ? view.self(self, h) : attend(self, h);
    layer.self_weights = a.weights;
    return a.context;
  });
  y = residual(p, "cross", y, o, [&](const Tensor& h) {
    const MultiHeadAttended a =
        multi_head_attention(p / "cross", h, view.memory, view.memory_mask, {}, o.attention);
    layer.weights = a.weights;
    return a.context;
  });
  layer.x = residual(p, "feed_forward", y, o,
                     [&](const Tensor& h) { return feed_forward(p / "feed_forward", h, o); });
  return layer;
}

}  // namespace weft
