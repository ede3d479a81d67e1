// models/families/transformer/transformer.cpp -- the two stacks, and the graphs made of them.
#include "models/families/transformer/transformer.h"

#include <cmath>
#include <optional>

namespace weft::transformer {
namespace {

enum class Stack { encoder, decoder };

int64_t heads_of(const Config& c, Stack stack) {
  return stack == Stack::decoder ? decoder_heads(c) : c.heads;
}

int64_t head_width(const Config& c, Stack stack) {
  return c.head_width > 0 ? c.head_width : c.width / heads_of(c, stack);
}

TransformerOptions layer_options(const Config& c, Stack stack, const Noise& noise) {
  const bool own = stack == Stack::decoder && c.decoder_feed_forward > 0;
  const double eps = c.norm == NormKind::rms ? 1e-6 : 1e-5;
  return {.attention = {.heads = heads_of(c, stack),
                        .head_width = c.head_width,
                        .scale = c.attention_scale,
                        .bias = c.bias,
                        .dropout = c.attention_dropout,
                        .noise = noise},
          .feed_forward = own ? c.decoder_feed_forward : c.feed_forward,
          .activation = c.activation,
          .norm = c.norm,
          .eps = c.norm_eps > 0 ? c.norm_eps : eps,
          .pre_norm = c.pre_norm,
          .bias = c.bias,
          .dropout = c.dropout,
          .activation_dropout = c.activation_dropout,
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
  Tensor x = embedding(table(p, c, side), tokens);
  if (c.fixed_token >= 0) x = where(expand(tokens == c.fixed_token, -1), stop_gradient(x), x);
  if (c.embedding_scale > 0) return c.embedding_scale == 1 ? x : x * c.embedding_scale;
  if (c.positions == PositionKind::relative) return x;
  return x * std::sqrt(static_cast<double>(c.width));
}

// Positions 0 .. t-1, s32[T], where embeddings or rotations read them; distances need none.
Tensor positions_of(const Config& c, const Tensor& like, const Dim& t) {
  const bool read = c.positions != PositionKind::relative && c.positions != PositionKind::alibi;
  return read || c.global_block > 0 ? positions_from(like, t) : Tensor();
}

// Vectors T[B,T,M] at positions s32[T] -> T[B,T,M]
Tensor placed(const Scope& p, const Config& c, std::string_view side, Tensor x,
              const Tensor& positions, const Noise& noise) {
  const bool shifted = c.first_position > 0 && positions.valid();
  const Tensor at = shifted ? positions + c.first_position : positions;
  if (c.positions == PositionKind::sinusoidal)
    x = x + sinusoidal_positions(at, c.width, c.sinusoids);
  if (c.positions == PositionKind::learned) {
    const int64_t most = side == "target" ? most_target_positions(c) : c.max_positions;
    x = x + learned_positions(p / (std::string(side) + "_positions"), at, c.first_position + most,
                              c.width);
  }
  if (c.embedding_norm)
    x = norm(p / (std::string(side) + "_embedding_norm"), x,
             layer_options(c, Stack::encoder, noise));
  return dropout(p / (std::string(side) + "_dropout"), x, c.dropout, noise);
}

Tensor embedded_source(const Scope& p, const Config& c, const Tensor& source, const Tensor& lengths,
                       const Tensor& positions, const Noise& noise) {
  const auto in = p.enter();
  const Tensor all =
      c.source.kind == data::SourceKind::tokens
          ? looked_up(p, c, "source", source)
          : seq2seq::projected_source(
                p, c.source,
                seq2seq::augmented(p / "spec_augment", source, lengths, c.spec_augment, noise),
                c.width, c.image);
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

RelativeBuckets position_buckets(const Config& c, Stack stack) {
  return {.buckets = c.position_buckets,
          .max_distance = c.position_distance,
          .bidirectional = stack == Stack::encoder};
}

Scope position_bias_of(const Scope& p, Stack stack) {
  return p / (stack == Stack::encoder ? "encoder" : "decoder") / "position_bias";
}

// The bias of a stack's self-attention of all `t` positions, T[heads,T,T], or none.
Tensor self_bias(const Scope& p, const Config& c, const Tensor& like, const Dim& t, Stack stack) {
  const int64_t heads = heads_of(c, stack);
  if (c.positions == PositionKind::alibi) return linear_position_bias(like, t, t, heads);
  if (c.positions != PositionKind::relative) return {};
  return relative_position_bias(position_bias_of(p, stack), like, t, t, heads,
                                position_buckets(c, stack));
}

// That of one position of the decoder, T[heads,1,T'].      here: s32[1], past: s32[T'], positions
Tensor step_bias(const Scope& p, const Config& c, const Tensor& here, const Tensor& past) {
  const int64_t heads = heads_of(c, Stack::decoder);
  if (c.positions == PositionKind::alibi) return linear_position_bias(here, past, heads);
  if (c.positions != PositionKind::relative) return {};
  return relative_position_bias(position_bias_of(p, Stack::decoder), here, past, heads,
                                position_buckets(c, Stack::decoder));
}

// How a stack's self-attention turns queries and keys at positions s32[T], if it does.
Rotation rotation(const Config& c, const Tensor& positions, Stack stack) {
  if (c.positions != PositionKind::rotary) return {};
  return rotation_at(positions, head_width(c, stack));
}

LightOptions convolution_of_layer(const Config& c, Stack stack, int64_t i) {
  const bool decoder = stack == Stack::decoder;
  const std::vector<int64_t>& kernels = decoder ? c.decoder_kernels : c.encoder_kernels;
  return {.heads = heads_of(c, stack),
          .width = kernels.empty() ? c.kernel : kernels[static_cast<size_t>(i)],
          .causal = decoder,
          .dynamic = (decoder ? c.decoder_self : c.encoder_self) == Mixing::dynamic,
          .bias = c.bias};
}

Tensor scores(const Scope& p, const Config& c, const Tensor& decoded) {
  const auto in = p.enter();
  const Scope output = p / "output";
  const Tensor x = c.output_scale == 1 ? decoded : decoded * c.output_scale;
  Tensor y;
  if (c.tied_output)
    y = matmul(x, table(p, c, "target"), {.transpose_b = true});
  else
    y = matmul(x, output.parameter("W", {c.width, c.target_vocabulary}));
  if (!c.output_bias) return y;
  return y + output.parameter("b", {c.target_vocabulary}, init::zeros());
}

// The window of the encoder's layer i: so many tokens on each side, its own among them; 0: all.
int64_t window_of_layer(const Config& c, int64_t i) {
  if (!c.layer_windows.empty()) return c.layer_windows[static_cast<size_t>(i)];
  return c.encoder_window > 0 ? c.encoder_window : c.window;
}

ir::Integers band_of_window(int64_t window) { return {window - 1, window - 1}; }

// Transient global attention (Guo et al. 2022, "LongT5", section 3.1.2): the tokens of each block of
// fixed length are summed up, and every token sees the sums of all blocks beside its window. What
// remains behind the last whole block belongs to that one.
class GlobalBlocks {
 public:
  // lengths: s32[B], positions: s32[S]
  GlobalBlocks(const Scope& p, const Config& c, const Tensor& lengths, const Tensor& positions,
               const Dim& s)
      : count_(Dim::floordiv(s, c.global_block) + 1),  // one more than can be: never none
        own_bias_(relative_bias_by_distance(position_bias_of(p, Stack::encoder), lengths, s, s,
                                            c.heads, position_buckets(c, Stack::encoder))) {
    const Tensor blocks = lengths / static_cast<double>(c.global_block);  // s32[B]: whole ones
    const Tensor numbers = iota(lengths, count_);                         // s32[G]
    there_ = numbers < expand(blocks, 1);                                 // pred[B,G]
    const Tensor of_token = minimum(positions / static_cast<double>(c.global_block),
                                    expand(blocks - 1, 1));  // s32[B,S]
    const Tensor real = length_mask(lengths, s);
    const Tensor mine = expand(of_token, 1) == expand(expand(numbers, 1), 0);  // pred[B,G,S]
    members_ = cast(mine && expand(real, 1), f32);
    // T[B,S,G,heads] -> T[B,heads,S,G]
    const Tensor ahead = expand(expand(numbers, 0), 0) - expand(of_token, -1);
    bias_ = transpose(relative_bias_of(p / "encoder" / "global_position_bias", ahead, c.heads,
                                       {.buckets = c.position_buckets,
                                        .max_distance = c.position_distance,
                                        .bidirectional = true}),
                      {0, 3, 1, 2});
  }

  // h: T[B,S,M], what attention p is given; real: pred[B,1,1,S]
  MultiHeadAttended attend(const Scope& p, const Tensor& h, const Tensor& real, int64_t window,
                           const TransformerOptions& o) const {
    const auto in = p.enter();
    const int64_t width = h.dim(-1).constant().value_or(0);
    const Tensor sums = norm(p / "global_norm", matmul(members_, h), o);  // T[B,G,M]
    const KeySetsAttended made =
        attended_key_sets(p, h,
                          {.memory = project_keys_values(p, h, width, o.attention),
                           .mask = real,
                           .bias = own_bias_,
                           .by_distance = true,
                           .band = band_of_window(window)},
                          {.memory = project_keys_values(p, sums, width, o.attention),
                           .mask = for_all_queries(there_),
                           .bias = bias_},
                          o.attention);
    return {linear(p / "o", made.context, width, {.bias = o.attention.bias}),
            concat({made.first, made.second}, -1)};
  }

 private:
  Dim count_;
  Tensor own_bias_;                // T[heads,2S-1]
  Tensor there_, members_, bias_;  // pred[B,G], f32[B,G,S], T[B,heads,S,G]
};

// Tokens that layer i sees: those that are real and within its window.
// real: pred[B,1,1,S] -> pred, which broadcasts to [B,heads,S,S]
Tensor mask_of_layer(const Config& c, const Tensor& source, const Dim& s, const Tensor& real,
                     int64_t i) {
  const int64_t window = window_of_layer(c, i);
  return window == 0 ? real : real && window_mask(source, s, s, window - 1, window - 1);
}

// Attention in windows in which the first token sees all, by projections of its own, and is seen by
// all (Beltagy et al. 2020, "Longformer", section 3.1).      h: T[B,S,M], real: pred[B,1,1,S]
MultiHeadAttended attend_with_first(const Scope& p, const Tensor& h, const Tensor& real,
                                    int64_t window, const TransformerOptions& o) {
  const auto in = p.enter();
  const int64_t width = h.dim(-1).constant().value_or(0);
  const Dim s = h.dim(1);
  const Scope global = p / "global";
  const KeysValues all = project_keys_values(p, h, width, o.attention);
  const KeysValues of_first{slice(all.keys, 1, 0, 1), slice(all.values, 1, 0, 1)};
  const KeySetsAttended others = attended_key_sets(
      p, h, {.memory = all, .mask = real && iota(h, s) > 0, .band = band_of_window(window)},
      {.memory = of_first, .mask = slice(real, 3, 0, 1)}, o.attention);
  const Tensor first =
      attended_heads(global, slice(h, 1, 0, 1), project_keys_values(global, h, width, o.attention),
                     real, {}, o.attention)
          .context;
  const Tensor made = concat({first, slice(others.context, 1, 1, s)}, 1);
  return {linear(p / "o", made, width, {.bias = o.attention.bias}),
          concat({others.second, slice(others.first, 3, 1, s)}, -1)};
}

// What a layer makes of x, or x itself in a share of the steps, for all rows alike.
Tensor kept_or_skipped(const Scope& p, const Tensor& x, const Tensor& made, double rate,
                       const Noise& noise) {
  if (rate == 0 || !noise.on()) return made;
  Noise of_step = noise;
  of_step.rows = reshape(noise.step, {1});
  return where(reshape(keep_mask(p / "layer_dropout", {}, rate, of_step), {}), made, x);
}

// Of a layer: from its own keys and values to those of its past.
using PastOf = std::function<KeysValues(int64_t layer, const KeysValues& own)>;
// Of a layer without self-attention: from what it is given, T[B,T,M], to what is added to it.
using MixingOf = std::function<Tensor(int64_t layer, const Scope& p, const Tensor& h)>;

Decoded run_decoder(const Scope& p, const Config& c, Tensor x, const Memory& memory,
                    DecoderSources view, const PastOf& past_of, const MixingOf& mixing,
                    const Noise& noise) {
  const Scope stack = p / "decoder";
  const auto in = stack.enter();
  const TransformerOptions options = layer_options(c, Stack::decoder, noise);
  view.memory_mask = for_all_queries(memory.mask);
  Decoded d;
  d.states.push_back(x);
  for (int64_t i = 0; i < c.decoder_layers; ++i) {
    view.memory = memory.layers[static_cast<size_t>(i)];
    if (past_of) view.past = [&past_of, i](const KeysValues& own) { return past_of(i, own); };
    if (c.decoder_self != Mixing::attention)
      view.self = [&mixing, i](const Scope& self, const Tensor& h) -> MultiHeadAttended {
        return {mixing(i, self, h), {}};
      };
    const DecoderLayer layer = decoder_layer(stack / i, x, view, options);
    x = kept_or_skipped(stack / i, x, layer.x, c.decoder_layer_dropout, noise);
    d.weights = layer.weights;
    d.by_layer.push_back(layer.weights);
    d.self_weights.push_back(layer.self_weights);
    d.states.push_back(x);
  }
  if (c.final_norm) d.states.back() = x = norm(stack / "norm", x, options);
  if (c.final_dropout) x = dropout(stack / "final_dropout", x, c.dropout, noise);
  d.logits = scores(p, c, x);
  return d;
}

// Of the heads, the mean: T[B,heads,T,S] -> T[B,T,S]
Tensor mean_of_heads(const Tensor& weights) { return mean(weights, 1); }

std::string part_name(std::string_view what, int64_t layer, std::string_view part) {
  return ir::concat(what, ".", layer, ".", part);
}

}  // namespace

Encoded encode(const Scope& p, const Config& c, const Tensor& source, const Tensor& lengths,
               const Noise& noise, SourceLoc loc) {
  const CalledFrom from(loc);
  const Dim s = seq2seq::source_positions(c.source, source);
  const Tensor positions = positions_of(c, source, s);
  Tensor x = embedded_source(p, c, source, lengths, positions, noise);
  const Scope stack = p / "encoder";
  const auto in = stack.enter(loc);
  TransformerOptions options = layer_options(c, Stack::encoder, noise);
  const bool attends = c.encoder_self == Mixing::attention;
  Tensor bias;
  if (attends) {
    if (c.global_block == 0) bias = self_bias(p, c, source, s, Stack::encoder);
    options.attention.rotation = rotation(c, positions, Stack::encoder);
  }
  std::optional<GlobalBlocks> blocks;
  if (c.global_block > 0) blocks.emplace(p, c, lengths, positions, s);
  const Tensor tokens = length_mask(lengths, s), real = for_all_queries(tokens);
  Encoded e;
  e.states.push_back(x);
  for (int64_t i = 0; i < c.encoder_layers; ++i) {
    const auto attend = [&](const Scope& self, const Tensor& h) -> MultiHeadAttended {
      if (!attends)
        return {light_convolution(self, h, tokens, convolution_of_layer(c, Stack::encoder, i)), {}};
      const int64_t window = window_of_layer(c, i);
      if (blocks) return blocks->attend(self, h, real, window, options);
      if (c.global_first) return attend_with_first(self, h, real, window, options);
      return multi_head_attention(self, h, project_keys_values(self, h, c.width, options.attention),
                                  mask_of_layer(c, source, s, real, i), bias, options.attention);
    };
    const EncoderLayer layer = encoder_layer(stack / i, x, attend, options);
    x = kept_or_skipped(stack / i, x, layer.x, c.encoder_layer_dropout, noise);
    e.self_weights.push_back(layer.weights);
    e.states.push_back(x);
  }
  if (c.final_norm) e.states.back() = x = norm(stack / "norm", x, options);
  if (c.final_dropout) x = dropout(stack / "final_dropout", x, c.dropout, noise);
  e.annotations = x;
  return e;
}

Memory project_memory(const Scope& p, const Config& c, const Tensor& h, const Tensor& lengths,
                      SourceLoc loc) {
  const Scope stack = p / "decoder";
  const auto in = stack.enter(loc);
  Memory memory{{}, length_mask(lengths, h.dim(1))};
  for (int64_t i = 0; i < c.decoder_layers; ++i)
    memory.layers.push_back(decoder_memory(stack / i, h, layer_options(c, Stack::decoder, {})));
  return memory;
}

Decoded decode(const Scope& p, const Config& c, const Memory& memory, const Tensor& target,
               const Noise& noise, SourceLoc loc) {
  const CalledFrom from(loc);
  const Dim t = target.dim(1);
  const Tensor positions = positions_of(c, target, t);
  const Tensor x = embedded_target(p, c, target, positions, noise);
  DecoderSources view;
  if (c.decoder_self == Mixing::attention) {
    view.self_mask =
        c.window > 0 ? window_mask(target, t, t, c.window - 1, 0) : causal_mask(target, t, t);
    view.self_bias = self_bias(p, c, target, t, Stack::decoder);
    view.rotation = rotation(c, positions, Stack::decoder);
  }
  const auto mixing = [&](int64_t layer, const Scope& self, const Tensor& h) {
    if (c.decoder_self == Mixing::ssru) return ssru(self, h);
    return light_convolution(self, h, {}, convolution_of_layer(c, Stack::decoder, layer));
  };
  return run_decoder(p, c, x, memory, view, {}, mixing, noise);
}

namespace {

// One position of a layer without self-attention, whose past is a state.      h: T[B,K,M] -> the same
Tensor mixed_step(search::StepGraph& step, const Config& c, int64_t layer, const Scope& p,
                  const Tensor& h) {
  const std::string name = ir::concat("past.", layer);
  const Tensor x = step.by_row(h);
  if (c.decoder_self == Mixing::ssru) {
    const CellState next = ssru_cell(p, x, step.state(name, {c.width}));
    step.next(name, next.c);
    return step.by_sentence(next.h);
  }
  const LightOptions options = convolution_of_layer(c, Stack::decoder, layer);
  const Tensor past = step.state(name, {options.width - 1, c.width});
  const LightStep next = light_convolution_step(p, x, past, options);
  step.next(name, next.past);
  return step.by_sentence(next.y);
}

}  // namespace

Decoded decode_step(search::StepGraph& step, const Config& c, const Memory& memory, SourceLoc loc) {
  const CalledFrom from(loc);
  const Scope p = step.scope();
  const int64_t heads = heads_of(c, Stack::decoder), d = head_width(c, Stack::decoder);
  const Tensor token = step.by_sentence(step.token());            // s32[B,K]
  const Tensor here = positions_from(token, 1, step.position());  // s32[1]
  const Tensor x = embedded_target(p, c, token, here, {});
  DecoderSources view;
  if (c.decoder_self == Mixing::attention) {
    if (c.window > 0) step.keep_last();
    view.self_mask = expand(step.visible(), 1);  // pred[B,1,K,C*K]
    view.self_bias = step_bias(p, c, here, step.entry_steps());
    view.rotation = rotation(c, here, Stack::decoder);
  }
  const auto cached = [&](int64_t layer, const char* part, const Tensor& own) {
    const Tensor rows = step.by_row(own);  // [B*K,heads,D]
    const Tensor all =
        step.cached(part_name("past", layer, part), reshape(rows, {rows.dim(0), heads * d}));
    return reshape(all, {all.dim(0), all.dim(1), heads, d});
  };
  const auto past = [&](int64_t layer, const KeysValues& own) -> KeysValues {
    return {cached(layer, "keys", own.keys), cached(layer, "values", own.values)};
  };
  const auto mixing = [&](int64_t layer, const Scope& self, const Tensor& h) {
    return mixed_step(step, c, layer, self, h);
  };
  return run_decoder(p, c, x, memory, view, past, mixing, {});
}

ir::Graph loss_graph(const Config& c, bool training) {
  check(c);
  Model m("loss");
  const bool random = c.dropout > 0 || c.attention_dropout > 0 || c.activation_dropout > 0 ||
                      c.encoder_layer_dropout > 0 || c.decoder_layer_dropout > 0;
  const seq2seq::LossInputs in = seq2seq::loss_inputs(m, c, training, random);
  const Scope p = m.scope();
  const Tensor h = encode(p, c, in.source.source, in.source.lengths, in.noise).annotations;
  const Memory memory = project_memory(p, c, h, in.source.lengths);
  const Decoded decoded = decode(p, c, memory, in.target.in, in.noise);
  const Scope loss = p / "loss";
  const auto within = loss.enter();
  const Tensor losses =
      smoothed_cross_entropy(decoded.logits, in.target.out, training ? c.label_smoothing : 0);
  seq2seq::set_training_loss(m, c, training, in, losses,
                             in.guided.on() ? mean_of_heads(decoded.weights) : Tensor(), false);
  return m.graph();
}

ir::Graph encode_graph(const Config& c) {
  check(c);
  Model m("encode");
  const auto [source, source_lengths] = seq2seq::source_inputs(m, c.source);
  const Tensor h = encode(m.scope(), c, source, source_lengths).annotations;
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
  const Shape shape{dim("S"), heads_of(c, Stack::decoder), head_width(c, Stack::decoder)};
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
  const Tensor h = encode(m.scope(), c, source, source_lengths).annotations;
  const Memory memory = project_memory(m.scope(), c, h, source_lengths);
  const Decoded decoded = decode(m.scope(), c, memory, target_in);
  m.output("weights", mean_of_heads(decoded.weights));
  for (size_t i = 0; i < decoded.by_layer.size(); ++i)
    m.output(ir::concat("weights.", i), decoded.by_layer[i]);
  return m.graph();
}

}  // namespace weft::transformer
