// models/families/rnn/encoder.cpp -- from the source to annotations, and the decoder's first state.
#include "models/families/rnn/parts.h"

namespace weft::rnn {
namespace {

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

}  // namespace

Tensor drop_embedded(const Scope& p, const Config& c, const Tensor& x, double word_rate,
                     const Noise& noise) {
  const Tensor words =
      word_rate > 0 ? word_dropout(p / "words", x, word_rate, noise, iota(x, x.dim(0))) : x;
  return c.variational_dropout ? variational_dropout(p, words, c.dropout, noise)
                               : sequence_dropout(p, words, c.dropout, noise);
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

}  // namespace weft::rnn
