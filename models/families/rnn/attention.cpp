// models/families/rnn/attention.cpp -- what a step of the decoder looks at, and what it has covered.
#include "models/families/rnn/parts.h"

namespace weft::rnn {
namespace {

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

}  // namespace

Tensor repeated(const Tensor& x, const Dim& beams) {
  if (!x.valid()) return x;
  Shape wide = x.shape(), rows = wide;
  wide.insert(wide.begin() + 1, beams);
  rows[0] = rows[0] * beams;
  return reshape(broadcast(expand(x, 1), wide), rows);
}

Tensor by_row(const Tensor& x) {
  return x.rank() == 2 ? x : reshape(x, {x.dim(0) * x.dim(1), x.dim(2)});
}

Attended attend_with(const Scope& p, const Config& c, const Memory& m, const Tensor& s,
                     const Tensor& coverage) {
  if (coverage.valid()) return attend_rows(p, c, covered(p, c, m, coverage), s);
  const Dim rows = s.dim(0), sentences = m.h.dim(0);
  if (rows == sentences) return attend_rows(p, c, m, s);
  const Dim beams = *rows.divided_by(sentences);
  const Attended a = attend_rows(p, c, m, reshape(s, {sentences, beams, c.hidden}));
  return {reshape(a.context, {rows, m.h.dim(-1)}), a.weights};
}

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

void cover(const Config& c, const Memory& m, const Tensor& before, Step& step) {
  if (c.coverage == Coverage::none) return;
  step.repeated = sum(minimum(step.weights, before), -1);
  Tensor more = step.weights;
  if (c.coverage == Coverage::fertility)
    more = more / repeated(m.fertility, *before.dim(0).divided_by(m.h.dim(0)));
  step.state.coverage = before + more;
}

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

}  // namespace weft::rnn
