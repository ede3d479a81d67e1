// frontend/nn/positions.cpp -- positions in plain ops.
#include "frontend/nn/positions.h"

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

Tensor constants(const Tensor& like, ir::Reals values, DType dtype) {
  const Shape shape{static_cast<int64_t>(values.size())};
  return {like.tracer(),
          like.tracer()->emit(ir::ops::constant, {},
                              {{"dtype", dtype}, {"shape", shape}, {"values", std::move(values)}},
                              SourceLoc::here())[0]};
}

// The bucket of each distance 0..max_distance, among `count`.
ir::Reals buckets_of_distances(int64_t count, int64_t max_distance) {
  const int64_t exact = count / 2;
  ir::Reals buckets;
  for (int64_t d = 0; d <= max_distance; ++d) {
    int64_t bucket = d;
    if (d >= exact) {
      // In float, as the published models have it.
      const float along = std::log(static_cast<float>(d) / static_cast<float>(exact)) /
                          std::log(static_cast<float>(max_distance) / static_cast<float>(exact));
      bucket = std::min(count - 1,
                        exact + static_cast<int64_t>(along * static_cast<float>(count - exact)));
    }
    buckets.push_back(static_cast<double>(bucket));
  }
  return buckets;
}

// -2^(-8 h / heads), h = 1 .. heads.      -> f32[heads]
Tensor slopes_of_heads(const Tensor& like, int64_t heads) {
  if (heads < 1)
    fail(SourceLoc::here(), "'linear_position_bias' needs 1 head or more, found ", heads);
  ir::Reals slopes;
  for (int64_t h = 1; h <= heads; ++h)
    slopes.push_back(-std::exp2(-8.0 * static_cast<double>(h) / static_cast<double>(heads)));
  return constants(like, std::move(slopes), f32);
}

// p 10000^(-2i/last), i = 0 .. width/2-1.      positions: integer[N] -> f32[N,width/2]
Tensor angles_of(const Tensor& positions, int64_t width, int64_t last) {
  ir::Reals rates;
  for (int64_t i = 0; i < width; i += 2)
    rates.push_back(std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(last)));
  return expand(cast(positions, f32), 1) * constants(positions, std::move(rates), f32);
}

}  // namespace

Tensor positions_from(const Tensor& like, const Dim& length, const Tensor& start, SourceLoc loc) {
  const CalledFrom from(loc);
  const Tensor p = iota(like, length);
  return start.valid() ? p + cast(start, s32) : p;
}

Tensor sinusoidal_positions(const Tensor& positions, int64_t width, Sinusoids kind, SourceLoc loc) {
  const CalledFrom from(loc);
  if (width < 2 || width % 2 != 0)
    fail(loc, "'sinusoidal_positions' needs an even width, found ", width);
  if (!positions.valid() || positions.rank() != 1)
    fail(loc, "'sinusoidal_positions' needs positions of rank 1");
  const bool wide_apart = kind == Sinusoids::tensor2tensor;  // up to 10000 itself
  const int64_t last = wide_apart ? std::max<int64_t>(width - 2, 1) : width;
  const Tensor angle = angles_of(positions, width, last);
  if (kind != Sinusoids::interleaved) return concat({sin(angle), cos(angle)}, -1);
  return reshape(stack({sin(angle), cos(angle)}, -1), {positions.dim(0), width});
}

Tensor learned_positions(const Scope& p, const Tensor& positions, const Dim& most, const Dim& width,
                         SourceLoc loc) {
  const auto in = p.enter(loc);
  return embedding(p.parameter({most, width}, init::normal(0.02)), positions);
}

Tensor relative_bias_of(const Scope& p, const Tensor& ahead, int64_t heads,
                        const RelativeBuckets& b, SourceLoc loc) {
  const auto in = p.enter(loc);
  const int64_t count = b.bidirectional ? b.buckets / 2 : b.buckets;
  if (count < 2 || (b.bidirectional && b.buckets % 2 != 0) || b.max_distance <= count / 2)
    fail(loc, "relative positions cannot divide distances up to ", b.max_distance, " into ",
         b.buckets, " buckets");
  const Tensor distance = b.bidirectional ? abs(ahead) : maximum(-ahead, 0);
  const Tensor table = constants(ahead, buckets_of_distances(count, b.max_distance), s32);
  Tensor bucket = gather(table, minimum(distance, b.max_distance));
  if (b.bidirectional) {
    const Tensor later = cast(ahead > 0, s32);
    bucket = bucket + later * count;
  }
  return gather(p.parameter({b.buckets, heads}, init::normal(0.02)), bucket);
}

Tensor relative_position_bias(const Scope& p, const Tensor& queries, const Tensor& keys,
                              int64_t heads, const RelativeBuckets& b, SourceLoc loc) {
  const auto in = p.enter(loc);
  const Tensor ahead = keys - expand(queries, 1);  // s32[Tq,Tk]
  return transpose(relative_bias_of(p, ahead, heads, b), {2, 0, 1});
}

Tensor relative_bias_by_distance(const Scope& p, const Tensor& like, const Dim& queries,
                                 const Dim& keys, int64_t heads, const RelativeBuckets& b,
                                 SourceLoc loc) {
  const auto in = p.enter(loc);
  return transpose(relative_bias_of(p, distances(like, queries, keys), heads, b), {1, 0});
}

Tensor relative_position_bias(const Scope& p, const Tensor& like, const Dim& queries,
                              const Dim& keys, int64_t heads, const RelativeBuckets& b,
                              SourceLoc loc) {
  const auto in = p.enter(loc);
  return by_distance(relative_bias_by_distance(p, like, queries, keys, heads, b), queries);
}

Tensor linear_position_bias(const Tensor& queries, const Tensor& keys, int64_t heads,
                            SourceLoc loc) {
  const CalledFrom from(loc);
  const Tensor slope = expand(expand(slopes_of_heads(queries, heads), -1), -1);
  return slope * expand(cast(abs(keys - expand(queries, 1)), f32), 0);
}

Tensor linear_position_bias(const Tensor& like, const Dim& queries, const Dim& keys, int64_t heads,
                            SourceLoc loc) {
  const CalledFrom from(loc);
  const Tensor distance = cast(abs(distances(like, queries, keys)), f32);
  return by_distance(expand(slopes_of_heads(like, heads), -1) * expand(distance, 0), queries);
}

Rotation rotation_at(const Tensor& positions, int64_t head_width, SourceLoc loc) {
  const CalledFrom from(loc);
  if (head_width < 2 || head_width % 2 != 0)
    fail(loc, "rotary positions need heads of an even width, found ", head_width);
  if (!positions.valid() || positions.rank() != 1)
    fail(loc, "'rotation_at' needs positions of rank 1");
  const Tensor angle = expand(angles_of(positions, head_width, head_width), 1);
  return {cos(angle), sin(angle)};
}

Tensor rotated(const Tensor& x, const Rotation& rotation, SourceLoc loc) {
  const CalledFrom from(loc);
  if (!x.valid() || x.rank() != 4) fail(loc, "'rotated' needs [B,N,heads,D]");
  const Tensors half = split(x, 2);
  const Tensor &c = rotation.cosines, &s = rotation.sines;
  return concat({half[0] * c - half[1] * s, half[0] * s + half[1] * c}, -1);
}

}  // namespace weft
