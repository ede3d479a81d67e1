// models/families/hybrid/hybrid.cpp -- the encoder, a step of the decoder, and the graphs made of them.
#include "models/families/hybrid/hybrid.h"

#include <cmath>

namespace weft::hybrid {
namespace {

// What the decoder looks at.
struct Memory {
  Tensor h, keys;  // T[B,S,M], T[B,S,A]; keys = U h
  Tensor mask;     // pred[B,S]
};
struct Encoded {
  Memory memory;
  Tensors start;  // T[B,H], layer by layer
};
struct Step {
  Tensor logits;   // T[R,V]
  Tensor weights;  // T[B,S], of several beams T[B,K,S]
  Tensors states;  // T[R,H]
};
struct Decoded {
  Tensor logits, weights;  // T[T,B,V]; T[T,B,S], where they are wanted
};

std::string state_name(int64_t layer) { return ir::concat("state.", layer); }

Tensor embedded_source(const Scope& p, const Config& c, const Tensor& source, const Tensor& lengths,
                       const Noise& noise) {
  const auto in = p.enter();
  const double root = std::sqrt(static_cast<double>(c.width));
  Tensor x = c.source.kind == data::SourceKind::tokens
                 ? embedding(p / "source_embedding", source, c.source.vocabulary, c.width,
                             init::normal(1 / root)) *
                       root
                 : seq2seq::projected_source(p, c.source,
                                             seq2seq::augmented(p / "spec_augment", source, lengths,
                                                                c.spec_augment, noise),
                                             c.width, c.image);
  x = word_dropout(p / "source_words", x, c.source_word_dropout, noise);
  const Dim s = seq2seq::source_positions(c.source, source);
  x = x + sinusoidal_positions(positions_from(source, s), c.width);
  return dropout(p / "source_dropout", x, c.dropout, noise);
}

// The decoder's first states are tanh(W mean(h)), of each layer with a W of its own.
Encoded encode(const Scope& p, const Config& c, const Tensor& source, const Tensor& lengths,
               const Noise& noise) {
  Tensor x = embedded_source(p, c, source, lengths, noise);
  const Scope stack = p / "encoder";
  const auto in = stack.enter();
  const TransformerOptions options{.attention = {.heads = c.heads, .noise = noise},
                                   .feed_forward = c.feed_forward,
                                   .pre_norm = c.pre_norm,
                                   .dropout = c.dropout,
                                   .noise = noise};
  const Tensor mask = length_mask(lengths, x.dim(1)), real = expand(mask, -1);
  for (int64_t i = 0; i < c.encoder_layers; ++i)
    x = encoder_layer(stack / i, x, for_all_queries(mask), {}, options).x;
  if (c.pre_norm) x = norm(stack / "norm", x, options);
  const Tensor h = where(real, x, 0);
  const Tensor mean = sum(h, 1) / expand(cast(lengths, f32), -1);
  const Scope decoder = p / "decoder";
  Encoded e{{h, where(real, additive_keys(decoder / "attention", h, c.attention_width), 0), mask},
            {}};
  for (int64_t i = 0; i < c.decoder_layers; ++i)
    e.start.push_back(tanh(linear(decoder / "start" / i, mean, c.hidden)));
  return e;
}

// tokens: s32[R] or s32[T,B] -> T[...,M]; noise goes with s32[T,B]
Tensor embedded_target(const Scope& p, const Config& c, const Tensor& tokens,
                       const Noise& noise = {}) {
  const auto in = p.enter();
  const Tensor y = embedding(p / "target_embedding", tokens, c.target_vocabulary, c.embedding,
                             init::normal(0.1));
  if (!noise.on()) return y;
  const Tensor at = iota(y, y.dim(0), s32);
  return dropout(p / "target_dropout",
                 word_dropout(p / "target_words", y, c.target_word_dropout, noise, at), c.dropout,
                 noise, at);
}

// Rows R = B*K: the beams of a sentence are K queries to its one memory.
Attended look(const Scope& p, const Config& c, const Memory& m, const Tensor& s) {
  const Dim rows = s.dim(0), sentences = m.h.dim(0);
  if (rows == sentences) return additive_attention(p, s, m.h, m.mask, c.attention_width, m.keys);
  const Tensor queries = reshape(s, {sentences, *rows.divided_by(sentences), s.dim(1)});
  const Attended a = additive_attention(p, queries, m.h, m.mask, c.attention_width, m.keys);
  return {reshape(a.context, {rows, m.h.dim(-1)}), a.weights};
}

// states: T[R,H], y: T[R,M], position: s32[] where there is noise
Step decode_step(const Scope& p, const Config& c, const Memory& memory, const Tensors& states,
                 const Tensor& y, const Noise& noise = {}, const Tensor& position = {}) {
  const Scope here = p / "decoder";
  const auto in = here.enter();
  const Attended a = look(here / "attention", c, memory, states[0]);
  Step step{{}, a.weights, {}};
  Tensor x = y;
  for (int64_t i = 0; i < c.decoder_layers; ++i) {
    const Scope layer = here / i;
    const Tensor read = i == 0 ? x : dropout(layer / "dropout", x, c.dropout, noise, position);
    const Tensor s = gru_cell(layer, read, states[static_cast<size_t>(i)], a.context);
    step.states.push_back(s);
    x = i == 0 ? s : s + x;
  }
  const Tensor out = tanh(linear(here / "readout", concat({x, a.context, y}, -1), c.hidden));
  step.logits =
      linear(here / "output", dropout(here / "readout_dropout", out, c.dropout, noise, position),
             c.target_vocabulary);
  return step;
}

// target: s32[B,T], lengths: s32[B]
Decoded decode(const Scope& p, const Config& c, const Encoded& e, const Tensor& target,
               const Tensor& lengths, bool weights, const Noise& noise = {}) {
  const Tensor y = embedded_target(p, c, swap_axes(target, 0, 1), noise);
  const Scope here = p / "decoder";
  const auto in = here.enter();
  Tensors scanned{y};
  if (noise.on()) scanned.push_back(iota(y, y.dim(0), s32));
  const LoopResults r = scan({.carries = e.start, .scanned = scanned, .lengths = lengths},
                             [&](const LoopStep& at) -> LoopYield {
                               const Tensor position = noise.on() ? at.scanned[1] : Tensor();
                               const Step step = decode_step(p, c, e.memory, at.carries,
                                                             at.scanned[0], noise, position);
                               Tensors outputs{step.logits};
                               if (weights) outputs.push_back(step.weights);
                               return {.carries = step.states, .outputs = outputs};
                             });
  return {r.outputs[0], weights ? r.outputs[1] : Tensor()};
}

}  // namespace

ir::Graph loss_graph(const Config& c, bool training) {
  check(c);
  Model m("loss");
  const seq2seq::LossInputs in = seq2seq::loss_inputs(m, c, training, c.dropout > 0);
  const Scope p = m.scope();
  const Encoded encoded = encode(p, c, in.source.source, in.source.lengths, in.noise);
  const Decoded decoded =
      decode(p, c, encoded, in.target.in, in.target.lengths, in.guided.on(), in.noise);
  const Scope loss = p / "loss";
  const auto within = loss.enter();
  const Tensor losses = smoothed_cross_entropy(decoded.logits, swap_axes(in.target.out, 0, 1),
                                               training ? c.label_smoothing : 0);
  seq2seq::set_training_loss(m, c, training, in, losses, decoded.weights, true);
  return m.graph();
}

ir::Graph encode_graph(const Config& c) {
  check(c);
  Model m("encode");
  const auto [source, source_lengths] = seq2seq::source_inputs(m, c.source);
  const Encoded e = encode(m.scope(), c, source, source_lengths, {});
  m.output("h", e.memory.h);
  m.output("keys", e.memory.keys);
  for (int64_t i = 0; i < c.decoder_layers; ++i)
    m.output(state_name(i), e.start[static_cast<size_t>(i)]);
  return m.graph();
}

ir::Graph step_graph(const Config& c, const search::StepOptions& options) {
  check(c);
  search::StepGraph graph("step", options);
  const Dim s = dim("S");
  const Memory memory{graph.memory("h", f32, {s, c.width}),
                      graph.memory("keys", f32, {s, c.attention_width}),
                      length_mask(graph.memory("source_lengths", s32, {}), s)};
  Tensors states;
  for (int64_t i = 0; i < c.decoder_layers; ++i)
    states.push_back(graph.state(state_name(i), {c.hidden}));
  const Scope p = graph.scope();
  const Step step = decode_step(p, c, memory, states, embedded_target(p, c, graph.token()));
  for (int64_t i = 0; i < c.decoder_layers; ++i)
    graph.next(state_name(i), step.states[static_cast<size_t>(i)]);
  return graph.finish(step.logits, step.weights);
}

ir::Graph attention_graph(const Config& c) {
  check(c);
  Model m("attention");
  const auto [source, source_lengths] = seq2seq::source_inputs(m, c.source);
  const auto [target_in, target_out, target_lengths] = seq2seq::target_inputs(m, false);
  const Encoded e = encode(m.scope(), c, source, source_lengths, {});
  m.output("weights",
           swap_axes(decode(m.scope(), c, e, target_in, target_lengths, true).weights, 0, 1));
  return m.graph();
}

}  // namespace weft::hybrid
