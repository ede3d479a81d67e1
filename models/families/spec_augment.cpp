// models/families/spec_augment.cpp -- masks as ranges of numbers that are drawn for each row.
#include "models/families/spec_augment.h"

#include "ir/error.h"

namespace weft::seq2seq {
namespace {

// Which of `size` places a mask leaves alone: pred[B,size].      available: f32[B], how many there are
Tensor left_alone(const Scope& p, const Dim& size, const Tensor& available, int64_t widest,
                  const Noise& noise) {
  const Tensor width = minimum(floor(uniform(p / "width", {}, noise) * (widest + 1)), available);
  const Tensor start = floor(uniform(p / "start", {}, noise) * (available - width + 1));
  const Tensor place = cast(iota(available, size), f32);
  return place < expand(start, -1) || place >= expand(start + width, -1);
}

}  // namespace

void fields(SpecAugment& s, settings::Fields& f) {
  constexpr settings::Whole kMasks{0, 64}, kWidths{1, 1 << 16};
  f.integer("frequency_masks", s.frequency_masks, kMasks,
            "frames: so many bands of features become zeros in training (SpecAugment: Park et al. "
            "2019)");
  f.integer("frequency_mask_width", s.frequency_mask_width, kWidths, "features in one at most");
  f.integer("time_masks", s.time_masks, kMasks, "frames: so many stretches of time likewise");
  f.integer("time_mask_width", s.time_mask_width, kWidths, "frames in one at most");
}

void check(const SpecAugment& s, const data::Source& source) {
  if (s.on() && source.kind != data::SourceKind::frames)
    throw ir::GraphError(ir::concat(
        "frequency_masks and time_masks need a source of frames, found ", data::name(source.kind)));
}

Tensor augmented(const Scope& p, const Tensor& x, const Tensor& lengths, const SpecAugment& s,
                 const Noise& noise, SourceLoc loc) {
  if (!s.on() || !noise.on()) return x;
  const auto in = p.enter(loc);
  const Tensor frames = cast(lengths, f32), features = frames * 0.0 + dim_size(x, 2, f32);
  Tensor y = x;
  for (int64_t i = 0; i < s.frequency_masks; ++i)
    y = where(
        expand(left_alone(p / "frequency" / i, x.dim(2), features, s.frequency_mask_width, noise),
               1),
        y, 0);
  for (int64_t i = 0; i < s.time_masks; ++i)
    y = where(expand(left_alone(p / "time" / i, x.dim(1), frames, s.time_mask_width, noise), -1), y,
              0);
  return y;
}

}  // namespace weft::seq2seq
