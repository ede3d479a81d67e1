// frontend/nn/light_convolution.h -- convolutions whose few weights are shared by the channels of a
// head, in the place of self-attention (Wu et al. 2019, "Pay Less Attention").
//
//   light     y[t,c] = sum_k softmax(w[h])_k x[t + k - low, c]      h being the head of channel c
//   dynamic   the same with w of its own for each position, w[t] = x[t] W
//
// As in the paper's figure 2 a product and a gated linear unit stand before it and a product behind
// it. The window of `width` positions ends with a position's own (causal), or has it in its middle;
// beyond the sequence's ends are zeros, which take their part of the softmax.
//
// Throws GraphError, at the line of the call, where shapes or settings do not go together.
#pragma once
#include "frontend/nn/linear.h"

namespace weft {

struct LightOptions {
  int64_t heads = 8;
  int64_t width = 7;  // odd where not causal
  bool causal = false;
  bool dynamic = false;
  bool bias = true;  // of the products
};

// x: T[B,T,M], mask: pred[B,T], true at real tokens, or none -> T[B,T,M]
// Parameters in/W [M,2M], kernel [heads,width] (dynamic: [M,heads*width]), out/W [M,M]; biases in/b,
// out/b
Tensor light_convolution(const Scope& p, const Tensor& x, const Tensor& mask,
                         const LightOptions& options, SourceLoc loc = SourceLoc::here());

// One position of a causal one. past: T[R,width-1,M], what the positions before it were convolved
// from; zeros at first.
struct LightStep {
  Tensor y;     // T[R,M]
  Tensor past;  // T[R,width-1,M]
};
// x: T[R,M]
LightStep light_convolution_step(const Scope& p, const Tensor& x, const Tensor& past,
                                 const LightOptions& options, SourceLoc loc = SourceLoc::here());

}  // namespace weft
