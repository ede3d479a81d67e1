// models/families/batch_inputs.cpp -- by the kind of the source.
#include "models/families/batch_inputs.h"

#include "ir/error.h"
#include "models/data/batch_names.h"

namespace weft::seq2seq {
namespace {

using data::SourceKind;

// f32[B,H,W,C] -> f32[B,S,patch*patch*C], patches row by row
Tensor patches_of(const data::Source& s, const Tensor& x, const SourceLoc& loc) {
  const int64_t rows = s.height / s.patch, columns = s.width / s.patch;
  const Dim b = x.dim(0, loc);
  const Tensor cut = reshape(x, {b, rows, s.patch, columns, s.patch, s.features}, loc);
  return reshape(transpose(cut, {0, 1, 3, 2, 4, 5}, loc),
                 {b, rows * columns, s.patch * s.patch * s.features}, loc);
}

// f32[B,H,W,C] -> T[B,S,channels], patches row by row
Tensor convolved(const Scope& p, const data::Source& s, Tensor x, int64_t channels) {
  int64_t rest = s.patch, layer = 0;
  for (int64_t factor = 2; rest > 1; ++factor)
    for (; rest % factor == 0; rest /= factor) {
      const Tensor y = conv2d(p / layer++, x, channels, 3, {.padding = Padding::same()});
      x = max_pool2d(relu(y), factor);
    }
  return reshape(x, {x.dim(0), s.patches(), channels});
}

}  // namespace

void fields(ImageEncoder& e, settings::Fields& f) {
  f.integer("image_channels", e.channels, {0, 4096},
            "image: channels of the convolutions that make one position of each patch and its "
            "surroundings; 0: there are none, a patch's pixels are projected (ViT)");
}

void check(const ImageEncoder& e, const data::Source& source) {
  if (e.channels == 0) return;
  if (source.kind != SourceKind::image)
    throw ir::GraphError(
        ir::concat("image_channels needs a source of images, found ", data::name(source.kind)));
  if (source.patch < 2) throw ir::GraphError("image_channels needs patches of 2 pixels or more");
}

SourceInputs source_inputs(Model& m, const data::Source& s) {
  const Dim b = dim("B");
  Tensor source;
  switch (s.kind) {
    case SourceKind::tokens:
      source = m.input(data::kSource, s32, {b, dim("S")});
      break;
    case SourceKind::frames:
      source = m.input(data::kSource, f32, {b, dim("S"), s.features});
      break;
    case SourceKind::image:
      source = m.input(data::kSource, f32, {b, s.height, s.width, s.features});
      break;
  }
  return {source, m.input(data::kSourceLengths, s32, {b})};
}

TargetInputs target_inputs(Model& m, bool with_out) {
  const Dim b = dim("B"), t = dim("T");
  TargetInputs y;
  y.in = m.input(data::kTargetIn, s32, {b, t});
  if (with_out) y.out = m.input(data::kTargetOut, s32, {b, t});
  y.lengths = m.input(data::kTargetLengths, s32, {b});
  return y;
}

Noise noise_inputs(Model& m, uint64_t seed) {
  const Tensor step = m.input(data::kStep, s64, {});
  return {step, m.input(data::kRowIds, s64, {dim("B")}), seed};
}

Dim source_positions(const data::Source& s, const Tensor& x, SourceLoc loc) {
  return s.kind == SourceKind::image ? Dim(s.patches()) : x.dim(1, loc);
}

Tensor projected_source(const Scope& p, const data::Source& s, const Tensor& x, int64_t width,
                        const ImageEncoder& image, SourceLoc loc) {
  const CalledFrom from(loc);
  const Tensor frames = s.kind != SourceKind::image ? x
                        : image.channels > 0 ? convolved(p / "convolutions", s, x, image.channels)
                                             : patches_of(s, x, loc);
  return linear(p / "source_projection", frames, width, {}, loc);
}

}  // namespace weft::seq2seq
