// models/families/batch_inputs.h -- the inputs of a batch as a model's graphs declare them.
#pragma once
#include "frontend/weft.h"
#include "models/data/source.h"

namespace weft::seq2seq {

struct SourceInputs {
  Tensor source;   // s32[B,S], f32[B,S,F] or f32[B,H,W,C]
  Tensor lengths;  // s32[B]; of an image, the number of its patches
};
SourceInputs source_inputs(Model& m, const data::Source& source);

struct TargetInputs {
  Tensor in;       // s32[B,T]
  Tensor out;      // s32[B,T]; where there is a loss
  Tensor lengths;  // s32[B]
};
TargetInputs target_inputs(Model& m, bool with_out = true);

// The inputs step s64[] and row_ids s64[B], by which masks of dropout are drawn.
Noise noise_inputs(Model& m, uint64_t seed);

// How many positions a source takes: S, or the number of an image's patches.
Dim source_positions(const data::Source& source, const Tensor& x,
                     SourceLoc loc = SourceLoc::here());
// Frames, or the patches of an image, projected: -> T[B,S,width]
Tensor projected_source(const Scope& p, const data::Source& source, const Tensor& x, int64_t width,
                        SourceLoc loc = SourceLoc::here());

}  // namespace weft::seq2seq
