// models/families/rnn/parts.h -- what the files of this folder share.
#pragma once
#include "models/families/rnn/rnn.h"

namespace weft::rnn {

inline int64_t attention_width(const Config& c) {
  return c.attention_width == 0 ? c.hidden : c.attention_width;
}
inline LinearOptions biased(const Config& c) { return {.bias = c.output_bias}; }
// Does attention look with the state before the step?
inline bool looks_before(const Config& c) {
  return c.attention == AttentionKind::additive || c.attention == AttentionKind::monotonic;
}

// Embeddings T[P,B,M]: words dropped, then elements.
Tensor drop_embedded(const Scope& p, const Config& c, const Tensor& x, double word_rate,
                     const Noise& noise);
// ids: s32[B] or s32[T,B] -> T[...,M]; of sequences words and elements are dropped
Tensor embed_target(const Scope& p, const Config& c, const Tensor& ids, const Noise& noise);

// x: T[B,...] -> T[B*K,...], each row K times
Tensor repeated(const Tensor& x, const Dim& beams);
// x: T[R,S] or T[B,K,S] -> T[R,S]
Tensor by_row(const Tensor& x);

// s: T[R,H], one row a sentence; or several beams of each, which are that many queries to its one
// memory. -> context T[R,E], weights T[B,K,S] where there are beams (with coverage T[R,S])
Attended attend_with(const Scope& p, const Config& c, const Memory& m, const Tensor& s,
                     const Tensor& coverage);
// The same for attention that goes on from where it stood.      before: T[R,S]
MonotonicallyAttended move_on(const Scope& p, const Config& c, const Memory& m, const Tensor& s,
                              const Tensor& before, const Noise& noise, const Tensor& position);
// What attention leaves behind: what is covered now, and how much of it was looked at again.
void cover(const Config& c, const Memory& m, const Tensor& before, Step& step);

// A state as a list of carries, and back: `shape` has the tensors that there are.
Tensors flat(const State& s);
State like(const State& shape, const Tensors& list);

}  // namespace weft::rnn
