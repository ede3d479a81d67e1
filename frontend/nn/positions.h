// frontend/nn/positions.h -- where in its sequence a token stands.
//
// Throws GraphError, at the line of the call, where shapes or settings do not go together.
#pragma once
#include "frontend/language/scope.h"

namespace weft {

// The positions of `length` tokens, from `start`: s32[] on (none: 0). `like` is any tensor of the
// graph they are made in.      -> s32[length]
Tensor positions_from(const Tensor& like, const Dim& length, const Tensor& start = {},
                      SourceLoc loc = SourceLoc::here());

// How sinusoids lie in a vector of width D, i = 0 .. D/2-1:
enum class Sinusoids {
  interleaved,   // PE(p, 2i) = sin(p r_i), PE(p, 2i+1) = cos(p r_i), r_i = 10000^(-2i/D)
                 // (Vaswani et al. 2017, section 3.5)
  halves,        // all sines, then all cosines, of the same r_i (Hugging Face's Marian, Pegasus)
  tensor2tensor  // likewise, r_i = 10000^(-i/(D/2-1)) (Tensor2Tensor, fairseq, Marian)
};

// positions: integer[N], D even -> f32[N,D]
Tensor sinusoidal_positions(const Tensor& positions, int64_t width,
                            Sinusoids kind = Sinusoids::interleaved,
                            SourceLoc loc = SourceLoc::here());

// Rows of the parameter p: T[most,D].      positions: integer[N], each below `most` -> T[N,D]
Tensor learned_positions(const Scope& p, const Tensor& positions, const Dim& most, const Dim& width,
                         SourceLoc loc = SourceLoc::here());

struct RelativeBuckets {
  int64_t buckets = 32;        // even where bidirectional
  int64_t max_distance = 128;  // from here on all distances share a bucket
  bool bidirectional = true;   // else keys ahead of the query share bucket 0
};

// A learned bias of attention scores by the distance between key and query, in buckets: one each
// for half of them, logarithmically wider ones beyond (Raffel et al. 2020, section 2.1).
// queries: s32[Tq], keys: s32[Tk], positions -> T[heads,Tq,Tk]; parameter p [buckets,heads]
Tensor relative_position_bias(const Scope& p, const Tensor& queries, const Tensor& keys,
                              int64_t heads, const RelativeBuckets& buckets = {},
                              SourceLoc loc = SourceLoc::here());

// The same of `queries` queries and `keys` keys whose positions count from 0: a value a distance,
// which the fused attention reads as that.
Tensor relative_position_bias(const Scope& p, const Tensor& like, const Dim& queries,
                              const Dim& keys, int64_t heads, const RelativeBuckets& buckets = {},
                              SourceLoc loc = SourceLoc::here());

// The same of distances that are given: ahead: s32[...], key - query -> T[...,heads]
Tensor relative_bias_of(const Scope& p, const Tensor& ahead, int64_t heads,
                        const RelativeBuckets& buckets = {}, SourceLoc loc = SourceLoc::here());

// What that one is made of, for ops that read it by distance: T[heads,queries+keys-1]
Tensor relative_bias_by_distance(const Scope& p, const Tensor& like, const Dim& queries,
                                 const Dim& keys, int64_t heads,
                                 const RelativeBuckets& buckets = {},
                                 SourceLoc loc = SourceLoc::here());

// A linear bias of attention scores by distance: -m_h |key - query|, with m_h = 2^(-8 h / heads) for
// heads h = 1 .. heads (Press et al. 2022, "ALiBi", section 3).
// queries: s32[Tq], keys: s32[Tk], positions -> f32[heads,Tq,Tk]
Tensor linear_position_bias(const Tensor& queries, const Tensor& keys, int64_t heads,
                            SourceLoc loc = SourceLoc::here());
// The same of `queries` queries and `keys` keys whose positions count from 0.
Tensor linear_position_bias(const Tensor& like, const Dim& queries, const Dim& keys, int64_t heads,
                            SourceLoc loc = SourceLoc::here());

// By what angles positions turn pairs of channels.
struct Rotation {
  Tensor cosines, sines;  // f32[N,1,D/2]

  bool valid() const { return cosines.valid(); }
};
// Channels i and i + D/2 are a pair, turned by p r_i, r_i = 10000^(-2i/D) (Su et al. 2021,
// "RoFormer", section 3.2.2, whose pairs are neighbours; as GPT-NeoX and Llama lay them out).
// positions: integer[N], D even -> of heads of width D
Rotation rotation_at(const Tensor& positions, int64_t head_width,
                     SourceLoc loc = SourceLoc::here());
// x: T[B,N,heads,D] -> the same; products of what is turned depend on distances alone
Tensor rotated(const Tensor& x, const Rotation& rotation, SourceLoc loc = SourceLoc::here());

}  // namespace weft
