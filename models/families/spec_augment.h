// models/families/spec_augment.h -- frames with bands of frequency and of time blotted out in training
// (Park et al. 2019, "SpecAugment", section 2; without its warping of time).
#pragma once
#include "frontend/weft.h"
#include "models/data/source.h"
#include "models/settings/fields.h"

namespace weft::seq2seq {

struct SpecAugment {
  int64_t frequency_masks = 0, frequency_mask_width = 27;  // m_F, F of the paper
  int64_t time_masks = 0, time_mask_width = 40;  // m_T, T; of frames as the model reads them

  bool on() const { return frequency_masks > 0 || time_masks > 0; }
  bool operator==(const SpecAugment&) const = default;
};
void fields(SpecAugment& s, settings::Fields& f);
// GraphError where the source is not frames.
void check(const SpecAugment& s, const data::Source& source);

// Each mask zeroes 0 to `width` neighbours, all equally likely, wherever they fit, in time within the
// row's length. Nothing without noise.      x: f32[B,S,F], lengths: s32[B] -> the same
Tensor augmented(const Scope& p, const Tensor& x, const Tensor& lengths, const SpecAugment& s,
                 const Noise& noise, SourceLoc loc = SourceLoc::here());

}  // namespace weft::seq2seq
