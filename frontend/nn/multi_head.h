// frontend/nn/multi_head.h -- attention in several heads (Vaswani et al. 2017, section 3.2.2).
//
// Sequences are batch-major, T[B,T,M]. Keys and values are projected by a function of their own, so
// that a decoder computes those of the source once, and keeps those of its past in a cache. Heads
// have width D; the parameters of a layer p are q, k, v and o, each a matrix W [M,heads*D] (o:
// [heads*D,M]) and, with bias, a vector b.
//
// Throws GraphError, at the line of the call, where shapes or settings do not go together.
#pragma once
#include "frontend/nn/dropout.h"
#include "frontend/nn/linear.h"
#include "frontend/nn/positions.h"

namespace weft {

struct MultiHeadOptions {
  int64_t heads = 8;
  int64_t head_width = 0;  // 0: the width of the queries divided by the heads
  double scale = 0;        // of the scores; 0: 1/sqrt(head_width)
  bool bias = true;        // of the projections
  double dropout = 0;      // of the weights
  Noise noise;
  Rotation rotation;  // of queries, and of keys where they are projected; or none
};

struct KeysValues {
  Tensor keys, values;  // T[B,S,heads,D]

  bool valid() const { return keys.valid(); }
};

struct MultiHeadAttended {
  Tensor context;  // T[B,T,M]
  Tensor weights;  // T[B,heads,T,S], before dropout
};

// memory: T[B,S,M] -> T[B,S,heads,D]; `width` is that of the queries
KeysValues project_keys_values(const Scope& p, const Tensor& memory, int64_t width,
                               const MultiHeadOptions& options, SourceLoc loc = SourceLoc::here());

// x: T[B,T,M] -> T[B,heads,T,D]
Tensor project_queries(const Scope& p, const Tensor& x, const MultiHeadOptions& options,
                       SourceLoc loc = SourceLoc::here());
// T[B,N,heads,D] -> T[B,heads,N,D], or back
Tensor by_head(const Tensor& x);
// What scores of heads of that width are multiplied with.
double score_scale(int64_t head_width, const MultiHeadOptions& options);

// a = softmax(scale * q k' + bias) where mask, c = o(a v), head by head
// x: T[B,T,M]; mask: pred and bias: T, each of any shape that broadcasts to [B,heads,T,S], or none
MultiHeadAttended multi_head_attention(const Scope& p, const Tensor& x, const KeysValues& memory,
                                       const Tensor& mask, const Tensor& bias,
                                       const MultiHeadOptions& options,
                                       SourceLoc loc = SourceLoc::here());

// The same before o: the heads side by side, T[B,T,heads*D], and their weights.
MultiHeadAttended attended_heads(const Scope& p, const Tensor& x, const KeysValues& memory,
                                 const Tensor& mask, const Tensor& bias,
                                 const MultiHeadOptions& options,
                                 SourceLoc loc = SourceLoc::here());

// Masks for it: pred[B,S], true at real tokens -> pred[B,1,1,S]
Tensor for_all_queries(const Tensor& mask, SourceLoc loc = SourceLoc::here());

}  // namespace weft
