// frontend/nn/monotonic_attention.h -- attention that moves through the source once, from its first
// position to its last.
//
// For each output, attention goes on from the position where it stood and stops at j with the
// probability p_j, so an output can be written before the rest of the source is there. What it
// reads is the position where it stopped (Raffel et al. 2017), or a chunk of positions that ends
// there (monotonic chunkwise attention, MoChA: Chiu and Raffel 2018).
#pragma once
#include "frontend/nn/attention.h"
#include "frontend/nn/dropout.h"

namespace weft {

struct MonotonicOptions {
  int64_t chunk = 1;  // positions that are read, the last being where attention stops
  double bias = -1;   // r before training: below 0, attention moves on rather than stops
  double noise = 1;   // deviation of noise on the energies in training, so that p becomes 0 or 1

  bool operator==(const MonotonicOptions&) const = default;
};

struct MonotonicallyAttended {
  Tensor context;  // T[B,E] or T[B,K,E]
  // T[B,S] or T[B,K,S]; all 0 where attention has come to the source's end.
  Tensor weights;    // c = sum_j weights_j h_j
  Tensor alignment;  // the probability that attention stands at j: `before` of the next step
};

// With e_j = g v / |v| . tanh(W s + U h_j + b) + r              (Raffel et al. 2017, section 2.4)
//
//   in training  p_j = sigmoid(e_j + noise), and the expectation over all ways to stop:
//                q_j = (1 - p_{j-1}) q_{j-1} + before_j,  alignment_j = p_j q_j   (eq. 8 to 10)
//   else         the same with p_j = 1 where e_j > 0, else 0: one position, or none behind the end
//
// and over chunks, with u_j = v' . tanh(W' s + U' h_j + b'):
//
//   weights_j = sum over k = j .. j+chunk-1 of
//               alignment_k exp(u_j) / sum over l = k-chunk+1 .. k of exp(u_l)
//                                                     (Chiu and Raffel 2018, section 2.3)
//
// s: T[B,H], or T[B,K,H]: K histories of each source; h: T[B,S,E], mask: pred[B,S];
// before: T[B,S] or T[B,K,S], at first `monotonic_start`;
// keys: T[B,S,A], or with chunks T[B,S,2A], where the caller has them; position: s32[], the step.
// Noise that is on means training. Parameters: monotonic/{W,U,v,g,b,r}, chunk/{W,U,v,b}.
MonotonicallyAttended monotonic_attention(const Scope& p, const Tensor& s, const Tensor& h,
                                          const Tensor& mask, const Tensor& before, int64_t a,
                                          const MonotonicOptions& options = {},
                                          const Tensor& keys = {}, const Noise& noise = {},
                                          const Tensor& position = {},
                                          SourceLoc loc = SourceLoc::here());
Tensor monotonic_keys(const Scope& p, const Tensor& h, int64_t a,
                      const MonotonicOptions& options = {}, SourceLoc loc = SourceLoc::here());
// Before the first step attention stands at the first position.       h: T[B,S,E] -> T[B,S]
Tensor monotonic_start(const Tensor& h, SourceLoc loc = SourceLoc::here());

}  // namespace weft
