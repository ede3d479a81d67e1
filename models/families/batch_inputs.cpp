// models/families/batch_inputs.cpp -- by the kind of the source.
#include "models/families/batch_inputs.h"

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

}  // namespace

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
                        SourceLoc loc) {
  const Tensor frames = s.kind == SourceKind::image ? patches_of(s, x, loc) : x;
  return linear(p / "source_projection", frames, width, {}, loc);
}

}  // namespace weft::seq2seq
