// models/families/rnn/decoder.cpp -- the decoder's one step, and the loop over a target.
#include "models/families/rnn/parts.h"

#include <functional>

namespace weft::rnn {
namespace {

int64_t readout_width(const Config& c) { return c.readout_width == 0 ? c.hidden : c.readout_width; }

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

// The word before, where chance has it the model's own.
// own: s32[B], y: T[B,M] -> T[B,M]
Tensor sampled(const Scope& p, const Config& c, const Tensor& own, const Tensor& y,
               const Tensor& sampling, const Noise& noise, const Tensor& position) {
  const Tensor chance = uniform(p / "sampling", {}, noise, position);
  return where(expand(chance < sampling && position > 0, -1), embed_target(p, c, own, {}), y);
}

}  // namespace

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

}  // namespace weft::rnn
