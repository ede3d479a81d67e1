// models/families/transformer/transformer.cpp -- the two stacks, and the graphs made of them.
#include "models/families/transformer/transformer.h"

#include "models/families/batch_inputs.h"

#include <cmath>

namespace weft::transformer {
namespace {

TransformerOptions layer_options(const Config& c, const Noise& noise) {
  return {.attention = {.heads = c.heads,
                        .bias = c.bias,
                        .dropout = c.attention_dropout,
                        .noise = noise},
          .feed_forward = c.feed_forward,
          .activation = c.activation,
          .norm = c.norm,
          .eps = c.norm == NormKind::rms ? 1e-6 : 1e-5,
          .pre_norm = c.pre_norm,
          .bias = c.bias,
          .dropout = c.dropout,
          .noise = noise};
}

double embedding_deviation(const Config& c) { return 1 / std::sqrt(static_cast<double>(c.width)); }

Tensor table(const Scope& p, const Config& c, std::string_view side) {
  const bool source = side == "source";
  return p.parameter(
      c.shared_embedding ? std::string("embedding") : std::string(side) + "_embedding",
      {source ? c.source.vocabulary : c.target_vocabulary, c.width},
      init::normal(embedding_deviation(c)));
}

// Tokens s32[B,T] -> T[B,T,M]
Tensor looked_up(const Scope& p, const Config& c, std::string_view side, const Tensor& tokens) {
  const Tensor x = embedding(table(p, c, side), tokens);
  if (c.positions == PositionKind::relative) return x;
  return x * std::sqrt(static_cast<double>(c.width));
}

// Vectors T[B,T,M] at positions s32[T] -> T[B,T,M]
Tensor placed(const Scope& p, const Config& c, std::string_view side, Tensor x,
              const Tensor& positions, const Noise& noise) {
  if (c.positions == PositionKind::sinusoidal) x = x + sinusoidal_positions(positions, c.width);
  if (c.positions == PositionKind::learned)
    x = x + learned_positions(p / (std::string(side) + "_positions"), positions, c.max_positions,
                              c.width);
  return dropout(p / (std::string(side) + "_dropout"), x, c.dropout, noise);
}

Tensor embedded_source(const Scope& p, const Config& c, const Tensor& source,
                       const Tensor& positions, const Noise& noise) {
  const auto in = p.enter();
  const Tensor all = c.source.kind == data::SourceKind::tokens
                         ? looked_up(p, c, "source", source)
                         : seq2seq::projected_source(p, c.source, source, c.width);
  const Tensor x = word_dropout(p / "source_words", all, c.source_word_dropout, noise);
  return placed(p, c, "source", x, positions, noise);
}

Tensor embedded_target(const Scope& p, const Config& c, const Tensor& tokens,
                       const Tensor& positions, const Noise& noise) {
  const auto in = p.enter();
  const Tensor x = word_dropout(p / "target_words", looked_up(p, c, "target", tokens),
                                c.target_word_dropout, noise);
  return placed(p, c, "target", x, positions, noise);
}

// The bias of a stack's self-attention, T[heads,T,T'], or none.
Tensor self_bias(const Scope& stack, const Config& c, const Tensor& queries, const Tensor& keys,
                 bool bidirectional) {
  if (c.positions != PositionKind::relative) return {};
  return relative_position_bias(stack / "position_bias", queries, keys, c.heads,
                                {.bidirectional = bidirectional});
}

Tensor scores(const Scope& p, const Config& c, const Tensor& x) {
  const auto in = p.enter();
  const Scope output = p / "output";
  Tensor y;
  if (c.tied_output)
    y = matmul(x, table(p, c, "target"), {.transpose_b = true});
  else
    y = matmul(x, output.parameter("W", {c.width, c.target_vocabulary}));
  if (!c.output_bias) return y;
  return y + output.parameter("b", {c.target_vocabulary}, init::zeros());
}

// Of a layer: from its own keys and values to those of its past.
using PastOf = std::function<KeysValues(int64_t layer, const KeysValues& own)>;

Decoded run_decoder(const Scope& p, const Config& c, Tensor x, const Memory& memory,
                    DecoderSources view, const PastOf& past_of, const Noise& noise) {
  const Scope stack = p / "decoder";
  const auto in = stack.enter();
  const TransformerOptions options = layer_options(c, noise);
  view.memory_mask = for_all_queries(memory.mask);
  Decoded d;
  for (int64_t i = 0; i < c.decoder_layers; ++i) {
    view.memory = memory.layers[static_cast<size_t>(i)];
    if (past_of) view.past = [&past_of, i](const KeysValues& own) { return past_of(i, own); };
    const DecoderLayer layer = decoder_layer(stack / i, x, view, options);
    x = layer.x;
    d.weights = layer.weights;
    d.by_layer.push_back(layer.weights);
  }
  if (c.final_norm) x = norm(stack / "norm", x, options);
  d.logits = scores(p, c, x);
  return d;
}

// Of the heads, the mean: T[B,heads,T,S] -> T[B,T,S]
Tensor mean_of_heads(const Tensor& weights) { return mean(weights, 1); }

std::string part_name(std::string_view what, int64_t layer, std::string_view part) {
  return ir::concat(what, ".", layer, ".", part);
}

}  // namespace

Tensor encode(const Scope& p, const Config& c, const Tensor& source, const Tensor& lengths,
              const Noise& noise, SourceLoc loc) {
  const CalledFrom from(loc);
  const Dim s = seq2seq::source_positions(c.source, source);
  const Tensor positions = positions_from(source, s);
  Tensor x = embedded_source(p, c, source, positions, noise);
  const Scope stack = p / "encoder";
  const auto in = stack.enter(loc);
  const TransformerOptions options = layer_options(c, noise);
  Tensor mask = for_all_queries(length_mask(lengths, s));
  if (c.window > 0) mask = mask && window_mask(source, s, s, c.window - 1, c.window - 1);
  const Tensor bias = self_bias(stack, c, positions, positions, true);
  for (int64_t i = 0; i < c.encoder_layers; ++i)
    x = encoder_layer(stack / i, x, mask, bias, options);
  return c.final_norm ? norm(stack / "norm", x, options) : x;
}

Memory project_memory(const Scope& p, const Config& c, const Tensor& h, const Tensor& lengths,
                      SourceLoc loc) {
  const Scope stack = p / "decoder";
  const auto in = stack.enter(loc);
  Memory memory{{}, length_mask(lengths, h.dim(1))};
  for (int64_t i = 0; i < c.decoder_layers; ++i)
    memory.layers.push_back(decoder_memory(stack / i, h, layer_options(c, {})));
  return memory;
}

Decoded decode(const Scope& p, const Config& c, const Memory& memory, const Tensor& target,
               const Noise& noise, SourceLoc loc) {
  const CalledFrom from(loc);
  const Dim t = target.dim(1);
  const Tensor positions = positions_from(target, t);
  const Tensor x = embedded_target(p, c, target, positions, noise);
  DecoderSources view;
  view.self_mask =
      c.window > 0 ? window_mask(target, t, t, c.window - 1, 0) : causal_mask(target, t, t);
  view.self_bias = self_bias(p / "decoder", c, positions, positions, false);
  return run_decoder(p, c, x, memory, view, {}, noise);
}

Decoded decode_step(search::StepGraph& step, const Config& c, const Memory& memory, SourceLoc loc) {
  const CalledFrom from(loc);
  const Scope p = step.scope();
  const int64_t d = c.width / c.heads;
  const Tensor token = step.by_sentence(step.token());            // s32[B,K]
  const Tensor here = positions_from(token, 1, step.position());  // s32[1]
  const Tensor x = embedded_target(p, c, token, here, {});
  if (c.window > 0) step.keep_last();
  DecoderSources view;
  view.self_mask = expand(step.visible(), 1);  // pred[B,1,K,C*K]
  view.self_bias = self_bias(p / "decoder", c, here, step.entry_steps(), false);
  const auto cached = [&](int64_t layer, const char* part, const Tensor& own) {
    const Tensor rows = step.by_row(own);  // [B*K,heads,D]
    const Tensor all =
        step.cached(part_name("past", layer, part), reshape(rows, {rows.dim(0), c.width}));
    return reshape(all, {all.dim(0), all.dim(1), c.heads, d});
  };
  return run_decoder(
      p, c, x, memory, view,
      [&](int64_t layer, const KeysValues& own) -> KeysValues {
        return {cached(layer, "keys", own.keys), cached(layer, "values", own.values)};
      },
      {});
}

ir::Graph loss_graph(const Config& c, bool training) {
  check(c);
  Model m("loss");
  const auto [source, source_lengths] = seq2seq::source_inputs(m, c.source);
  const auto [target_in, target_out, target_lengths] = seq2seq::target_inputs(m);
  const seq2seq::GuidedAlignment guided = training ? c.guided : seq2seq::GuidedAlignment();
  const bool noisy = training && (c.dropout > 0 || c.attention_dropout > 0 || guided.on() ||
                                  c.source_word_dropout > 0 || c.target_word_dropout > 0);
  const Noise noise = noisy ? seq2seq::noise_inputs(m, c.seed) : Noise();
  const Scope p = m.scope();
  const Tensor h = encode(p, c, source, source_lengths, noise);
  const Memory memory = project_memory(p, c, h, source_lengths);
  const Decoded decoded = decode(p, c, memory, target_in, noise);
  const Scope loss = p / "loss";
  const auto in = loss.enter();
  const Tensor losses =
      smoothed_cross_entropy(decoded.logits, target_out, training ? c.label_smoothing : 0);
  const Tensor live = length_mask(target_lengths, target_in.dim(1));
  seq2seq::set_training_loss(
      m, {losses, live, target_lengths, false, !training && c.by_token}, training && c.weighted,
      {guided, guided.on() ? mean_of_heads(decoded.weights) : Tensor(), noise.step});
  return m.graph();
}

ir::Graph encode_graph(const Config& c) {
  check(c);
  Model m("encode");
  const auto [source, source_lengths] = seq2seq::source_inputs(m, c.source);
  const Tensor h = encode(m.scope(), c, source, source_lengths);
  const Memory memory = project_memory(m.scope(), c, h, source_lengths);
  // Zeros behind a source's end, as all encoders have them: what is there need not be computed.
  const Tensor real = expand(expand(memory.mask, 2), 3);
  for (int64_t i = 0; i < c.decoder_layers; ++i) {
    const KeysValues& layer = memory.layers[static_cast<size_t>(i)];
    m.output(part_name("memory", i, "keys"), where(real, layer.keys, 0));
    m.output(part_name("memory", i, "values"), where(real, layer.values, 0));
  }
  return m.graph();
}

ir::Graph step_graph(const Config& c, const search::StepOptions& options) {
  check(c);
  search::StepGraph step("step", options);
  const Shape shape{dim("S"), c.heads, c.width / c.heads};
  Memory memory{{}, length_mask(step.memory("source_lengths", s32, {}), dim("S"))};
  for (int64_t i = 0; i < c.decoder_layers; ++i)
    memory.layers.push_back({step.memory(part_name("memory", i, "keys"), f32, shape),
                             step.memory(part_name("memory", i, "values"), f32, shape)});
  const Decoded d = decode_step(step, c, memory);
  return step.finish(step.by_row(d.logits),
                     step.wants_weights() ? mean_of_heads(d.weights) : Tensor());
}

ir::Graph attention_graph(const Config& c) {
  check(c);
  Model m("attention");
  const auto [source, source_lengths] = seq2seq::source_inputs(m, c.source);
  const Tensor target_in = seq2seq::target_inputs(m, false).in;
  const Tensor h = encode(m.scope(), c, source, source_lengths);
  const Memory memory = project_memory(m.scope(), c, h, source_lengths);
  const Decoded decoded = decode(m.scope(), c, memory, target_in);
  m.output("weights", mean_of_heads(decoded.weights));
  for (size_t i = 0; i < decoded.by_layer.size(); ++i)
    m.output(ir::concat("weights.", i), decoded.by_layer[i]);
  return m.graph();
}

}  // namespace weft::transformer
