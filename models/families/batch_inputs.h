// models/families/batch_inputs.h -- the inputs of a batch as a model's graphs declare them.
#pragma once
#include "frontend/weft.h"
#include "models/data/source.h"
#include "models/settings/fields.h"

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
// What becomes of an image before it is attended to.
struct ImageEncoder {
  int64_t channels = 0;  // of convolutions; 0: there are none

  bool operator==(const ImageEncoder&) const = default;
};
void fields(ImageEncoder& e, settings::Fields& f);
// GraphError where the source is no image, or its patches are single pixels.
void check(const ImageEncoder& e, const data::Source& source);

// Frames, or the patches of an image, projected: -> T[B,S,width]. With convolutions a patch is what
// they make of it and its surroundings: for each prime factor of its side one of 3 by 3 pixels, ReLU,
// and the greatest of as many pixels either way (of the kind of Simonyan and Zisserman 2015, which
// Show, Attend and Tell looks at: Xu et al. 2015, section 3.1.1).
Tensor projected_source(const Scope& p, const data::Source& source, const Tensor& x, int64_t width,
                        const ImageEncoder& image = {}, SourceLoc loc = SourceLoc::here());

}  // namespace weft::seq2seq
