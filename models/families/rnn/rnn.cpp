// models/families/rnn/rnn.cpp -- the encoder, and the decoder's one step.
#include "models/families/rnn/rnn.h"

#include <functional>

namespace weft::rnn {
namespace {

int64_t attention_width(const Config& c) {
  return c.attention_width == 0 ? c.hidden : c.attention_width;
}
int64_t keys_width(const Config& c) {
  if (c.attention == AttentionKind::general) return c.hidden;
  const bool chunks = c.attention == AttentionKind::monotonic && c.monotonic.chunk > 1;
  return attention_width(c) * (chunks ? 2 : 1);
}
int64_t readout_width(const Config& c) { return c.readout_width == 0 ? c.hidden : c.readout_width; }
LinearOptions biased(const Config& c) { return {.bias = c.output_bias}; }
// Does training depend on its step, or on chance?
bool needs_noise(const Config& c) {
  return c.dropout > 0 || c.source_word_dropout > 0 || c.target_word_dropout > 0 ||
         c.scheduled_sampling > 0 || c.guided.on() || c.spec_augment.on() ||
         c.attention == AttentionKind::monotonic;
}
// Does attention look with the state before the step?
bool looks_before(const Config& c) {
  return c.attention == AttentionKind::additive || c.attention == AttentionKind::monotonic;
}

// Embeddings T[P,B,M]: words dropped, then elements.
Tensor drop_embedded(const Scope& p, const Config& c, const Tensor& x, double word_rate,
                     const Noise& noise) {
  const Tensor words =
      word_rate > 0 ? word_dropout(p / "words", x, word_rate, noise, iota(x, x.dim(0))) : x;
  return c.variational_dropout ? variational_dropout(p, words, c.dropout, noise)
                               : sequence_dropout(p, words, c.dropout, noise);
}

// Annotations T[S,B,E], zeros behind the lengths -> their mean, T[B,E]
Tensor mean_annotation(const Tensor& outputs, const Tensor& lengths) {
  return sum(outputs, 0) / expand(cast(maximum(lengths, 1), f32), -1);
}

// The decoder's first state, from the encoder's last ones. Bahdanau et al.: s_0 = tanh(Ws h_1), h_1
// being the backward state at the first position. Others: the encoder's states as they are, or
// through tanh(W [forward; backward]) where there are two directions. Or from the mean of all.
State bridge(const Scope& p, const Config& c, const Recurrent& r) {
  const auto in = p.enter();
  const Tensor mean = c.start == Start::mean ? mean_annotation(r.outputs, r.lengths) : Tensor();
  const size_t directions = c.bidirectional ? 2 : 1;
  State s;
  for (size_t layer = 0; layer < static_cast<size_t>(c.layers); ++layer) {
    const CellState &first = r.final[layer * directions],
                    &last = r.final[layer * directions + directions - 1];
    const Scope here = c.layers == 1 ? p : p / static_cast<int64_t>(layer);
    const auto start = [&](const std::string& name, const Tensor& forward, const Tensor& backward) {
      if (!forward.valid()) return Tensor();
      if (mean.valid()) return tanh(linear(here / name, mean, c.hidden, biased(c)));
      if (looks_before(c)) return tanh(linear(here / name, backward, c.hidden, biased(c)));
      if (!c.bidirectional) return forward;
      return tanh(linear(here / name, concat({forward, backward}, -1), c.hidden, biased(c)));
    };
    s.layers.push_back({start("Ws", first.h, last.h), start("Wsc", first.c, last.c)});
  }
  if (c.input_feeding) s.fed = zero_state(CellKind::gru, r.outputs, r.outputs.dim(1), c.hidden).h;
  if (c.coverage != Coverage::none)
    s.coverage = full(r.outputs, 0, {r.outputs.dim(1), r.outputs.dim(0)}, f32);
  if (c.attention == AttentionKind::monotonic)
    s.alignment = monotonic_start(swap_axes(r.outputs, 0, 1));
  return s;
}

Attended attend_rows(const Scope& p, const Config& c, const Memory& m, const Tensor& s) {
  Near near;
  if (c.local_window > 0) near = near_predicted_place(p / "place", s, m.mask, c.local_window);
  switch (c.attention) {
    case AttentionKind::dot:
      return dot_attention(s, m.h, m.mask, near);
    case AttentionKind::general:
      return general_attention(p, s, m.h, m.mask, m.keys, near);
    case AttentionKind::concat:
      return concat_attention(p, s, m.h, m.mask, attention_width(c), m.keys, near);
    default:
      return additive_attention(p, s, m.h, m.mask, attention_width(c), m.keys);
  }
}

// x: T[B,...] -> T[B*K,...], each row K times
Tensor repeated(const Tensor& x, const Dim& beams) {
  if (!x.valid()) return x;
  Shape wide = x.shape(), rows = wide;
  wide.insert(wide.begin() + 1, beams);
  rows[0] = rows[0] * beams;
  return reshape(broadcast(expand(x, 1), wide), rows);
}

// Keys that know what was looked at: v . tanh(W s + U h_j + V C_j), Tu et al. 2016, eq. 5, with a
// coverage of one number; eq. 11 of See et al. 2017. They are a row's own, so the memory is too.
Memory covered(const Scope& p, const Config& c, const Memory& m, const Tensor& coverage) {
  const auto in = p.enter();
  const Dim beams = *coverage.dim(0).divided_by(m.h.dim(0));
  Memory own = m;
  if (!beams.is(1)) own.h = repeated(m.h, beams), own.mask = repeated(m.mask, beams);
  own.keys = m.keys.valid() ? m.keys : additive_keys(p, m.h, attention_width(c));
  if (!beams.is(1)) own.keys = repeated(own.keys, beams);
  own.keys = own.keys + expand(coverage, -1) * p.parameter("V", {Dim(attention_width(c))});
  return own;
}

// s: T[R,H], one row a sentence; or several beams of each, which are that many queries to its one
// memory. -> context T[R,E], weights T[B,K,S] where there are beams (with coverage T[R,S])
Attended attend_with(const Scope& p, const Config& c, const Memory& m, const Tensor& s,
                     const Tensor& coverage) {
  if (coverage.valid()) return attend_rows(p, c, covered(p, c, m, coverage), s);
  const Dim rows = s.dim(0), sentences = m.h.dim(0);
  if (rows == sentences) return attend_rows(p, c, m, s);
  const Dim beams = *rows.divided_by(sentences);
  const Attended a = attend_rows(p, c, m, reshape(s, {sentences, beams, c.hidden}));
  return {reshape(a.context, {rows, m.h.dim(-1)}), a.weights};
}

// x: T[R,S] or T[B,K,S] -> T[R,S]
Tensor by_row(const Tensor& x) {
  return x.rank() == 2 ? x : reshape(x, {x.dim(0) * x.dim(1), x.dim(2)});
}

// The same for attention that goes on from where it stood.      before: T[R,S]
MonotonicallyAttended move_on(const Scope& p, const Config& c, const Memory& m, const Tensor& s,
                              const Tensor& before, const Noise& noise, const Tensor& position) {
  const Dim rows = s.dim(0), sentences = m.h.dim(0);
  const auto attend = [&](const Tensor& state, const Tensor& from) {
    return monotonic_attention(p, state, m.h, m.mask, from, attention_width(c), c.monotonic, m.keys,
                               noise, position);
  };
  if (rows == sentences) return attend(s, before);
  const Dim beams = *rows.divided_by(sentences);
  MonotonicallyAttended a = attend(reshape(s, {sentences, beams, c.hidden}),
                                   reshape(before, {sentences, beams, before.dim(1)}));
  a.context = reshape(a.context, {rows, m.h.dim(-1)});
  a.alignment = by_row(a.alignment);
  return a;
}

// What attention leaves behind: what is covered now, and how much of it was looked at again.
void cover(const Config& c, const Memory& m, const Tensor& before, Step& step) {
  if (c.coverage == Coverage::none) return;
  step.repeated = sum(minimum(step.weights, before), -1);
  Tensor more = step.weights;
  if (c.coverage == Coverage::fertility)
    more = more / repeated(m.fertility, *before.dim(0).divided_by(m.h.dim(0)));
  step.state.coverage = before + more;
}

struct Cells {
  std::vector<CellState> state;
  Tensor top;  // T[B,H], the last layer's output
};
// From the state between the two cells of a conditional step to the context.
using Look = std::function<Tensor(const Tensor& s)>;

// The decoder's layers, x and context going into the first; or `look`'s into its second cell.
Cells run_cells(const Scope& p, const Config& c, const State& state, Tensor x, Tensor context,
                const Look& look, const Noise& noise, const Tensor& position) {
  const CellOptions options{.bias = c.cell_bias};
  Cells cells;
  for (size_t layer = 0; layer < state.layers.size(); ++layer) {
    const Scope here = c.layers == 1 ? p / "cell" : p / "cell" / static_cast<int64_t>(layer);
    const Tensor read = x;
    if (layer > 0) x = dropout(here / "dropout", x, c.dropout, noise, position);
    CellState next =
        cell(c.cell, here, x, state.layers[layer], layer == 0 ? context : Tensor(), options);
    if (layer == 0 && look)
      next = cell(c.cell, here / "conditional", look(next.h), next, {}, options);
    for (int64_t i = 0; i < c.decoder_transitions; ++i)
      next = cell(c.cell, here / "transition" / i, {}, next, {}, options);
    cells.state.push_back(next);
    x = c.residual && layer > 0 ? next.h + read : next.h;
  }
  cells.top = x;
  return cells;
}

// What the vocabulary's scores are computed from.      s: T[B,H], y: T[B,M], context: T[B,E] or
// none
Tensor read_out(const Scope& p, const Config& c, const Tensor& s, const Tensor& y,
                const Tensor& context) {
  if (c.readout == Readout::plain) return s;
  const auto in = p.enter();
  const int64_t width = c.readout == Readout::maxout ? 2 * readout_width(c) : readout_width(c);
  Tensor t = linear(p / "Uo", s, width, no_bias) + linear(p / "Vo", y, width, no_bias);
  if (context.valid()) t = t + linear(p / "Co", context, width, no_bias);
  if (c.output_bias) t = t + p.parameter("bo", {width}, init::zeros());
  return c.readout == Readout::maxout ? maxout(t, 2) : tanh(t);
}

}  // namespace

Tensor memory_keys(const Scope& p, const Config& c, const Tensor& h, SourceLoc loc) {
  const Scope attention = p / "decoder" / "attention";
  const auto in = attention.enter(loc);
  switch (c.attention) {
    case AttentionKind::additive:
    case AttentionKind::concat:
      return additive_keys(attention, h, attention_width(c));
    case AttentionKind::monotonic:
      return monotonic_keys(attention, h, attention_width(c), c.monotonic);
    case AttentionKind::general:
      return general_keys(attention, h, c.hidden);
    default:
      return {};
  }
}

Tensor fertility(const Scope& p, const Config& c, const Tensor& h, SourceLoc loc) {
  const Scope here = p / "decoder" / "fertility";
  const auto in = here.enter(loc);
  return squeeze(sigmoid(linear(here, h, 1, no_bias)), -1) * c.most_fertility;
}

Tensor log_mixture(const Tensor& logits, const Tensor& weights, const Tensor& generate,
                   const Tensor& tokens, SourceLoc loc) {
  const CalledFrom from(loc);
  const Tensor g = expand(generate, -1);
  const Tensor p = add_along_axis(exp(log_softmax(logits)) * g, tokens, weights * (1 - g));
  return log(maximum(p, 1e-30));
}

Tensor mixture_losses(const Tensor& logits, const Tensor& weights, const Tensor& generate,
                      const Tensor& tokens, const Tensor& labels, SourceLoc loc) {
  const CalledFrom from(loc);
  const Tensor copied = sum(where(expand(labels, -1) == expand(tokens, 0), weights, 0), -1);
  const Tensor p = generate * exp(-cross_entropy(logits, labels)) + (1 - generate) * copied;
  return -log(maximum(p, 1e-30));
}

Encoded encode(const Scope& p, const Config& c, const Tensor& x, const Tensor& lengths,
               const Noise& noise, SourceLoc loc) {
  const Scope here = p / "encoder";
  const auto in = here.enter(loc);
  const RecurrentOptions options{.kind = c.cell,
                                 .layers = c.layers,
                                 .bidirectional = c.bidirectional,
                                 .dropout = c.dropout,
                                 .variational = c.variational_dropout,
                                 .residual = c.residual,
                                 .halved = c.pyramid,
                                 .transitions = c.encoder_transitions,
                                 .noise = noise};
  const Recurrent r = recurrent(here, x, lengths, c.hidden, options);
  Encoded e;
  if (has_attention(c)) {
    e.memory.h = swap_axes(r.outputs, 0, 1);
    e.memory.mask = length_mask(r.lengths, r.outputs.dim(0));
    if (c.coverage == Coverage::fertility) e.memory.fertility = fertility(p, c, e.memory.h);
  }
  e.start = bridge(p / "bridge", c, r);
  return e;
}

Encoded encode_source(const Scope& p, const Config& c, const Tensor& source, const Tensor& lengths,
                      const Noise& noise, SourceLoc loc) {
  const auto in = p.enter(loc);
  Tensor x =
      c.source.kind == data::SourceKind::tokens
          ? embedding(p / "source_embedding", swap_axes(source, 0, 1), c.source.vocabulary,
                      c.embedding, init::normal(0.1))
          : swap_axes(seq2seq::projected_source(p, c.source,
                                                seq2seq::augmented(p / "spec_augment", source,
                                                                   lengths, c.spec_augment, noise),
                                                c.embedding, c.image),
                      0, 1);
  x = drop_embedded(p / "source_dropout", c, x, c.source_word_dropout, noise);
  Encoded e = encode(p, c, x, lengths, noise);
  if (c.copy) e.memory.tokens = source;
  return e;
}

Step decode_step(const Scope& p, const Config& c, const Memory& memory, const State& state,
                 const Tensor& y, const Noise& noise, const Tensor& position, SourceLoc loc) {
  const Scope here = p / "decoder";
  const auto in = here.enter(loc);
  const Tensor& before = state.layers.back().h;
  // Variational dropout has one mask for all positions.
  const Tensor dropped_at = c.variational_dropout ? Tensor() : position;
  Step step;
  Tensor read, context, top;
  const auto look = [&](const Tensor& s) {
    if (c.attention == AttentionKind::monotonic) {
      const MonotonicallyAttended a =
          move_on(here / "attention", c, memory, s, state.alignment, noise, position);
      step.weights = a.weights, step.state.alignment = a.alignment;
      return a.context;
    }
    const Attended a = attend_with(here / "attention", c, memory, s, state.coverage);
    step.weights = a.weights;
    return a.context;
  };
  if (looks_before(c)) {
    const auto between = [&](const Tensor& s) { return context = look(s); };
    if (!c.conditional) context = look(before);
    const Cells cells = run_cells(here, c, state, y, c.conditional ? Tensor() : context,
                                  c.conditional ? Look(between) : Look(), noise, dropped_at);
    step.state.layers = cells.state;
    top = cells.top;
    read = read_out(here / "readout", c, c.readout == Readout::maxout ? before : top, y, context);
  } else {
    const Cells cells = run_cells(here, c, state, c.input_feeding ? concat({y, state.fed}, -1) : y,
                                  {}, {}, noise, dropped_at);
    step.state.layers = cells.state;
    const Tensor s = cells.top;
    top = s;
    if (has_attention(c)) {  // h~ = tanh(Wc [c; h]), Luong et al. 2015, eq. 5
      context = look(s);
      top = tanh(linear(here / "Wc", concat({context, s}, -1), c.hidden, biased(c)));
    }
    if (c.input_feeding) step.state.fed = top;
    read = read_out(here / "readout", c, top, y, {});
  }
  cover(c, memory, state.coverage, step);
  if (c.copy)  // eq. 8 of See et al.
    step.generate =
        squeeze(sigmoid(linear(here / "generate", concat({context, top, y}, -1), 1)), -1);
  read = dropout(here / "readout_dropout", read, c.dropout, noise, dropped_at);
  step.logits = linear(here / "Wo", read, c.target_vocabulary, biased(c));
  return step;
}

namespace {

// A state as a list of carries, and back.
Tensors flat(const State& s) {
  Tensors list;
  for (const CellState& layer : s.layers) {
    list.push_back(layer.h);
    if (layer.c.valid()) list.push_back(layer.c);
  }
  if (s.fed.valid()) list.push_back(s.fed);
  if (s.coverage.valid()) list.push_back(s.coverage);
  if (s.alignment.valid()) list.push_back(s.alignment);
  return list;
}

State like(const State& shape, const Tensors& list) {
  State s;
  size_t at = 0;
  for (const CellState& layer : shape.layers) {
    const Tensor& h = list[at++];
    s.layers.push_back({h, layer.c.valid() ? list[at++] : Tensor()});
  }
  if (shape.fed.valid()) s.fed = list[at++];
  if (shape.coverage.valid()) s.coverage = list[at++];
  if (shape.alignment.valid()) s.alignment = list[at];
  return s;
}

Tensor embed_target(const Scope& p, const Config& c, const Tensor& ids, const Noise& noise) {
  const auto in = p.enter();
  const Tensor y =
      embedding(p / "target_embedding", ids, c.target_vocabulary, c.embedding, init::normal(0.1));
  if (ids.rank() == 1) return y;
  return drop_embedded(p / "target_dropout", c, y, c.target_word_dropout, noise);
}

// "state.0.h", ... in the order of `flat`.
std::vector<std::string> state_names(const Config& c) {
  std::vector<std::string> names;
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    names.push_back(ir::concat("state.", layer, ".h"));
    if (c.cell == CellKind::lstm) names.push_back(ir::concat("state.", layer, ".c"));
  }
  if (c.input_feeding) names.emplace_back("state.fed");
  if (c.coverage != Coverage::none) names.emplace_back("state.coverage");
  if (c.attention == AttentionKind::monotonic) names.emplace_back("state.alignment");
  return names;
}

}  // namespace

namespace {

// The word before, where chance has it the model's own.
// own: s32[B], y: T[B,M] -> T[B,M]
Tensor sampled(const Scope& p, const Config& c, const Tensor& own, const Tensor& y,
               const Tensor& sampling, const Noise& noise, const Tensor& position) {
  const Tensor chance = uniform(p / "sampling", {}, noise, position);
  return where(expand(chance < sampling && position > 0, -1), embed_target(p, c, own, {}), y);
}

// f32[], rising from 0.
Tensor sampling_probability(const Config& c, const Tensor& step) {
  const Tensor most = full(step, c.scheduled_sampling, {}, f32);
  if (c.scheduled_sampling_steps == 0) return most;
  return most * minimum(cast(step, f32) / static_cast<double>(c.scheduled_sampling_steps), 1.0);
}

}  // namespace

Decoded decode(const Scope& p, const Config& c, const Encoded& encoded, const Tensor& y,
               const Tensor& lengths, bool want_weights, const Noise& noise, const Tensor& sampling,
               SourceLoc loc) {
  const bool weights = want_weights && has_attention(c);
  const bool copies = weights && c.copy, repeats = weights && c.coverage != Coverage::none;
  const bool positions = sampling.valid() ||
                         (noise.on() && c.dropout > 0 && !c.variational_dropout) ||
                         (noise.on() && c.attention == AttentionKind::monotonic);
  const auto body = [&](const LoopStep& at) -> LoopYield {
    const Tensor position = positions ? at.scanned[1] : Tensor();
    Tensor before = at.scanned[0];
    if (sampling.valid())
      before = sampled(p, c, at.carries.back(), before, sampling, noise, position);
    const Step step =
        decode_step(p, c, encoded.memory, like(encoded.start, at.carries), before, noise, position);
    Tensors carries = flat(step.state);
    if (sampling.valid()) carries.push_back(arg_max(step.logits));
    Tensors outputs{step.logits};
    if (weights) outputs.push_back(step.weights);
    if (copies) outputs.push_back(step.generate);
    if (repeats) outputs.push_back(step.repeated);
    return {.carries = carries, .outputs = outputs};
  };
  const Scope here = p / "decoder";
  const auto in = here.enter(loc);
  Tensors carries = flat(encoded.start), scanned{y};
  if (positions) scanned.push_back(iota(y, y.dim(0), s32));
  if (sampling.valid()) carries.push_back(full(y, 0, {y.dim(1)}, s32));  // not read at position 0
  const LoopResults r = scan({.carries = carries, .scanned = scanned, .lengths = lengths}, body);
  Decoded decoded{r.outputs[0], weights ? r.outputs[1] : Tensor(), {}, {}};
  if (copies) decoded.generate = r.outputs[2];
  if (repeats) decoded.repeated = r.outputs.back();
  return decoded;
}

ir::Graph loss_graph(const Config& c, bool training) {
  check(c);
  Model m("loss");
  const auto [source, source_lengths] = seq2seq::source_inputs(m, c.source);
  const auto [target_in, target_out, target_lengths] = seq2seq::target_inputs(m);
  const Noise noise = training && needs_noise(c) ? seq2seq::noise_inputs(m, c.seed) : Noise();
  const Scope p = m.scope();
  const Encoded encoded = encode_source(p, c, source, source_lengths, noise);
  const Tensor y = embed_target(p, c, swap_axes(target_in, 0, 1), noise);
  const Tensor sampling =
      training && c.scheduled_sampling > 0 ? sampling_probability(c, noise.step) : Tensor();
  const seq2seq::GuidedAlignment guided = training ? c.guided : seq2seq::GuidedAlignment();
  const bool repeats = training && c.coverage_loss > 0;
  const Decoded decoded =
      decode(p, c, encoded, y, target_lengths, guided.on() || c.copy || repeats, noise, sampling);
  const Scope loss = p / "loss";
  const auto in = loss.enter();
  const Tensor labels = swap_axes(target_out, 0, 1);
  Tensor nll =
      c.copy ? mixture_losses(decoded.logits, decoded.weights, decoded.generate, source, labels)
             : smoothed_cross_entropy(decoded.logits, labels, training ? c.label_smoothing : 0);
  if (repeats) nll = nll + decoded.repeated * c.coverage_loss;
  const Tensor live = swap_axes(length_mask(target_lengths, target_in.dim(1)), 0, 1);
  seq2seq::set_training_loss(m, {nll, live, target_lengths, true, !training && c.by_token},
                             training && c.weighted, {guided, decoded.weights, noise.step});
  return m.graph();
}

ir::Graph encode_graph(const Config& c) {
  check(c);
  Model m("encode");
  const auto [source, source_lengths] = seq2seq::source_inputs(m, c.source);
  const Encoded e = encode_source(m.scope(), c, source, source_lengths);
  if (has_attention(c)) {
    m.output("h", e.memory.h);
    if (const Tensor keys = memory_keys(m.scope(), c, e.memory.h); keys.valid())
      m.output("keys", keys);
    if (e.memory.fertility.valid()) m.output("fertility", e.memory.fertility);
    if (e.memory.tokens.valid()) m.output("source_tokens", e.memory.tokens);
  }
  const Tensors start = flat(e.start);
  const std::vector<std::string> names = state_names(c);
  for (size_t i = 0; i < start.size(); ++i) m.output(names[i], start[i]);
  return m.graph();
}

ir::Graph step_graph(const Config& c, const search::StepOptions& options) {
  check(c);
  search::StepGraph graph("step", options);
  const Dim s = dim("S");
  Memory memory;
  if (has_attention(c)) {
    Tensor lengths = graph.memory("source_lengths", s32, {});
    if (c.pyramid > 0) lengths = (lengths + (reduction(c) - 1)) / reduction(c);
    memory.mask = length_mask(lengths, s);
    memory.h = graph.memory("h", f32, {s, c.hidden * (c.bidirectional ? 2 : 1)});
    if (c.attention != AttentionKind::dot)
      memory.keys = graph.memory("keys", f32, {s, keys_width(c)});
    if (c.coverage == Coverage::fertility) memory.fertility = graph.memory("fertility", f32, {s});
    if (c.copy) memory.tokens = graph.memory("source_tokens", s32, {s});
  }
  const std::vector<std::string> names = state_names(c);
  Tensors carries;
  for (const std::string& name : names)
    carries.push_back(graph.state(
        name, {name == "state.coverage" || name == "state.alignment" ? s : Dim(c.hidden)}));
  State shape;
  for (int64_t layer = 0; layer < c.layers; ++layer)
    shape.layers.push_back({carries[0], c.cell == CellKind::lstm ? carries[0] : Tensor()});
  if (c.input_feeding) shape.fed = carries[0];
  if (c.coverage != Coverage::none) shape.coverage = carries[0];
  if (c.attention == AttentionKind::monotonic) shape.alignment = carries[0];
  const Step step = decode_step(graph.scope(), c, memory, like(shape, carries),
                                embed_target(graph.scope(), c, graph.token(), {}));
  const Tensors next = flat(step.state);
  for (size_t i = 0; i < next.size(); ++i) graph.next(names[i], next[i]);
  if (!c.copy) return graph.finish(step.logits, step.weights);
  const Tensor tokens = graph.beam() == 1 ? memory.tokens : repeated(memory.tokens, graph.beams());
  return graph.finish(log_mixture(step.logits, by_row(step.weights), step.generate, tokens),
                      step.weights);
}

ir::Graph attention_graph(const Config& c) {
  check(c);
  if (!has_attention(c)) throw ir::GraphError("a model without attention has no attention weights");
  Model m("attention");
  const auto [source, source_lengths] = seq2seq::source_inputs(m, c.source);
  const auto [target_in, target_out, target_lengths] = seq2seq::target_inputs(m, false);
  const Encoded encoded = encode_source(m.scope(), c, source, source_lengths);
  const Tensor y = embed_target(m.scope(), c, swap_axes(target_in, 0, 1), {});
  m.output("weights",
           swap_axes(decode(m.scope(), c, encoded, y, target_lengths, true).weights, 0, 1));
  return m.graph();
}

}  // namespace weft::rnn
