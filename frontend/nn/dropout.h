// frontend/nn/dropout.h -- dropout (Srivastava et al. 2014) with counter-based masks.
//
// A mask is a function of the scope, the training step, the example's own number, the position and
// the element: it does not depend on padding, on the batch or on how loops are taken apart.
//
// Throws GraphError, at the line of the call, where shapes or settings do not go together.
#pragma once
#include "frontend/language/scope.h"

namespace weft {

// What masks are drawn from; the default draws none, so that dropout does nothing (inference).
struct Noise {
  Tensor step;  // s64[], the training step
  Tensor rows;  // s64[B], the examples' own numbers
  uint64_t seed = 0;

  bool on() const { return step.valid(); }
};

// x / (1 - rate) where a mask keeps it, else 0.
// x: T[B,...], or T[P,B,...] with positions: s32[P] -> the same. A scalar position goes with
// T[B,...].
Tensor dropout(const Scope& p, const Tensor& x, double rate, const Noise& noise,
               const Tensor& positions = {}, SourceLoc loc = SourceLoc::here());

// Which elements dropout keeps: a mask of [P...,B,inner...], positions: s32[P...] or none.
Tensor keep_mask(const Scope& p, const Shape& inner, double rate, const Noise& noise,
                 const Tensor& positions = {}, SourceLoc loc = SourceLoc::here());

// The stream of a scope's next mask, for ops that draw it themselves (ir/ops/attention.h).
int64_t next_stream(const Scope& p, const Noise& noise);

// Numbers in [0, 1) drawn as masks are: f32[P...,B,inner...].
Tensor uniform(const Scope& p, const Shape& inner, const Noise& noise, const Tensor& positions = {},
               SourceLoc loc = SourceLoc::here());

// Dropout of a sequence x: T[S,B,...], positions 0.. along its first axis.
Tensor sequence_dropout(const Scope& p, const Tensor& x, double rate, const Noise& noise,
                        SourceLoc loc = SourceLoc::here());

// The same with one mask for all positions (Gal and Ghahramani 2016).     x: T[P,B,M] -> the same
Tensor variational_dropout(const Scope& p, const Tensor& x, double rate, const Noise& noise,
                           SourceLoc loc = SourceLoc::here());

// Whole words are dropped: all of x / (1 - rate) at a position, or zeros.
// x: T[B,S,M], or T[P,B,M] with positions: s32[P] -> the same
Tensor word_dropout(const Scope& p, const Tensor& x, double rate, const Noise& noise,
                    const Tensor& positions = {}, SourceLoc loc = SourceLoc::here());

}  // namespace weft
