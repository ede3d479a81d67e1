// models/families/convolutional/convolutional.cpp -- the two stacks of blocks, and the graphs made of
// them.
#include "models/families/convolutional/convolutional.h"

#include <cmath>
#include <functional>

namespace weft::convolutional {
namespace {

const double kHalf = std::sqrt(0.5);

// A convolution from `hidden` to twice that: at p, W [K,H,2H] and b [2H].
struct Kernel {
  Tensor w, b;
};

Kernel kernel(const Scope& p, const Config& c) {
  const double deviation =
      std::sqrt(4 * (1 - c.dropout) / static_cast<double>(c.kernel * c.hidden));
  return {p.parameter("W", {c.kernel, c.hidden, 2 * c.hidden}, init::normal(deviation)),
          p.parameter("b", {2 * c.hidden}, init::zeros())};
}

// Vectors T[B,T,M] at positions s32[T] -> T[B,T,M]
Tensor placed(const Scope& p, const Config& c, const std::string& side, Tensor x,
              const Tensor& positions, const Noise& noise) {
  x = x +
      (c.positions == PositionKind::learned
           ? learned_positions(p / (side + "_positions"), positions, c.max_positions, c.embedding)
           : sinusoidal_positions(positions, c.embedding));
  return dropout(p / (side + "_dropout"), x, c.dropout, noise);
}

Tensor embedded_target(const Scope& p, const Config& c, const Tensor& tokens,
                       const Tensor& positions, const Noise& noise) {
  const auto in = p.enter();
  const Tensor x = embedding(p / "target_embedding", tokens, c.target_vocabulary, c.embedding,
                             init::normal(0.1));
  return placed(p, c, "target", word_dropout(p / "target_words", x, c.target_word_dropout, noise),
                positions, noise);
}

// Of a block: from what it reads, T[B,T,H], to its gates, T[B,T,2H].
using Convolve = std::function<Tensor(int64_t layer, const Scope& p, const Tensor& x)>;

// g: embedded target, T[B,T,M]
Decoded run_decoder(const Scope& p, const Config& c, const Tensor& g, const Memory& memory,
                    const Convolve& convolve, const Noise& noise) {
  const Scope stack = p / "decoder";
  const auto in = stack.enter();
  const Tensor mask = length_mask(memory.lengths, memory.keys.dim(1));
  // Sums of S values that vary independently: times S sqrt(1/S) (section 3.4).
  const Tensor spread = expand(expand(sqrt(cast(memory.lengths, f32)), -1), -1);
  Decoded d;
  Tensor x = linear(stack / "in", g, c.hidden);
  for (int64_t i = 0; i < c.decoder_layers; ++i) {
    const Scope block = stack / i;
    const Tensor h =
        glu(convolve(i, block / "convolution", dropout(block / "dropout", x, c.dropout, noise)));
    const Tensor query = (linear(block / "query", h, c.embedding) + g) * kHalf;
    const Attended a =
        attend(matmul(query, memory.keys, {.transpose_b = true}), memory.values, mask);
    const Tensor seen = (h + linear(block / "context", a.context * spread, c.hidden)) * kHalf;
    x = (seen + x) * kHalf;
    d.weights = d.weights.valid() ? d.weights + a.weights : a.weights;
  }
  d.weights = d.weights * (1.0 / static_cast<double>(c.decoder_layers));
  const Tensor out =
      dropout(stack / "output_dropout", linear(stack / "out", x, c.embedding), c.dropout, noise);
  d.logits = linear(p / "output", out, c.target_vocabulary);
  return d;
}

}  // namespace

Memory encode(const Scope& p, const Config& c, const Tensor& source, const Tensor& lengths,
              const Noise& noise, SourceLoc loc) {
  const auto in = p.enter(loc);
  const Dim s = seq2seq::source_positions(c.source, source);
  const Tensor all =
      c.source.kind == data::SourceKind::tokens
          ? embedding(p / "source_embedding", source, c.source.vocabulary, c.embedding,
                      init::normal(0.1))
          : seq2seq::projected_source(
                p, c.source,
                seq2seq::augmented(p / "spec_augment", source, lengths, c.spec_augment, noise),
                c.embedding, c.image);
  const Tensor e =
      placed(p, c, "source", word_dropout(p / "source_words", all, c.source_word_dropout, noise),
             positions_from(source, s), noise);
  const Scope stack = p / "encoder";
  const Tensor real = expand(length_mask(lengths, s), -1);
  Tensor x = linear(stack / "in", e, c.hidden);
  for (int64_t i = 0; i < c.encoder_layers; ++i) {
    const Scope block = stack / i;
    const Kernel k = kernel(block / "convolution", c);
    const Tensor read = where(real, dropout(block / "dropout", x, c.dropout, noise), 0);
    x = (glu(conv1d(read, k.w, k.b, {.padding = Padding::same()})) + x) * kHalf;
  }
  const Tensor z = linear(stack / "out", x, c.embedding);
  return {where(real, z, 0), where(real, (z + e) * kHalf, 0), lengths};
}

Decoded decode(const Scope& p, const Config& c, const Memory& memory, const Tensor& target,
               const Noise& noise, SourceLoc loc) {
  const CalledFrom from(loc);
  const Tensor g = embedded_target(p, c, target, positions_from(target, target.dim(1)), noise);
  const auto convolve = [&](int64_t, const Scope& at, const Tensor& x) {
    const Kernel k = kernel(at, c);
    return conv1d(x, k.w, k.b, {.padding = Padding::causal()});
  };
  return run_decoder(p, c, g, memory, convolve, noise);
}

Decoded decode_step(search::StepGraph& step, const Config& c, const Memory& memory, SourceLoc loc) {
  const CalledFrom from(loc);
  const Tensor token = step.by_sentence(step.token());  // s32[B,K]
  const Tensor g =
      embedded_target(step.scope(), c, token, positions_from(token, 1, step.position()), {});
  const auto convolve = [&](int64_t layer, const Scope& at, const Tensor& x) {
    const std::string name = ir::concat("past.", layer);
    const Kernel k = kernel(at, c);
    const Tensor past = step.state(name, {c.kernel - 1, c.hidden});
    const Tensor seen = concat({past, expand(step.by_row(x), 1)}, 1);  // [R,K,H]
    step.next(name, slice(seen, 1, 1, c.kernel));
    const int64_t width = c.kernel * c.hidden;
    return step.by_sentence(
        matmul(reshape(seen, {seen.dim(0), width}), reshape(k.w, {width, 2 * c.hidden})) + k.b);
  };
  return run_decoder(step.scope(), c, g, memory, convolve, {});
}

ir::Graph loss_graph(const Config& c, bool training) {
  check(c);
  Model m("loss");
  const seq2seq::LossInputs in = seq2seq::loss_inputs(m, c, training, c.dropout > 0);
  const Scope p = m.scope();
  const Decoded decoded = decode(p, c, encode(p, c, in.source.source, in.source.lengths, in.noise),
                                 in.target.in, in.noise);
  const Scope loss = p / "loss";
  const auto within = loss.enter();
  const Tensor losses =
      smoothed_cross_entropy(decoded.logits, in.target.out, training ? c.label_smoothing : 0);
  seq2seq::set_training_loss(m, c, training, in, losses, decoded.weights, false);
  return m.graph();
}

ir::Graph encode_graph(const Config& c) {
  check(c);
  Model m("encode");
  const auto [source, source_lengths] = seq2seq::source_inputs(m, c.source);
  const Memory memory = encode(m.scope(), c, source, source_lengths);
  m.output("keys", memory.keys);
  m.output("values", memory.values);
  return m.graph();
}

ir::Graph step_graph(const Config& c, const search::StepOptions& options) {
  check(c);
  search::StepGraph step("step", options);
  const Shape shape{dim("S"), c.embedding};
  const Tensor lengths = step.memory("source_lengths", s32, {});
  const Memory memory{step.memory("keys", f32, shape), step.memory("values", f32, shape), lengths};
  const Decoded d = decode_step(step, c, memory);
  return step.finish(step.by_row(d.logits), step.wants_weights() ? d.weights : Tensor());
}

ir::Graph attention_graph(const Config& c) {
  check(c);
  Model m("attention");
  const auto [source, source_lengths] = seq2seq::source_inputs(m, c.source);
  const auto [target_in, target_out, target_lengths] = seq2seq::target_inputs(m, false);
  const Memory memory = encode(m.scope(), c, source, source_lengths);
  m.output("weights", decode(m.scope(), c, memory, target_in).weights);
  return m.graph();
}

}  // namespace weft::convolutional
