// frontend/nn/norm.cpp -- norms in plain ops.
#include "frontend/nn/norm.h"

#include <algorithm>

namespace weft {
namespace {

// x / sqrt(mean(x^2) + eps), the mean over `axes`
Tensor by_root_mean_square(const Tensor& x, const Axes& axes, double eps, const SourceLoc& loc) {
  const Tensor square = Operand(x, loc) * Operand(x, loc);
  const Tensor variance = mean(square, axes, true, loc);
  return Operand(x, loc) * Operand(rsqrt(Operand(variance, loc) + Operand(eps, loc), loc), loc);
}

Tensor centred(const Tensor& x, const Axes& axes, const SourceLoc& loc) {
  return Operand(x, loc) - Operand(mean(x, axes, true, loc), loc);
}

void check(const Tensor& x, int least_rank, std::string_view what, const SourceLoc& loc) {
  if (!x.valid()) fail(loc, "'", what, "' is given a tensor that was never made");
  if (x.rank() < least_rank)
    fail(loc, "'", what, "' needs x of ", least_rank == 1 ? "[...,D]" : "[B,...,C]", ", found ",
         x.type());
}

Tensor scaled(const Scope& p, const Tensor& x, const Dim& d, const SourceLoc& loc) {
  return Operand(x, loc) * Operand(p.parameter("scale", {d}, init::ones(), loc), loc);
}
Tensor scaled_and_shifted(const Scope& p, const Tensor& x, const SourceLoc& loc) {
  const Dim d = x.dim(-1, loc);
  return Operand(scaled(p, x, d, loc), loc) +
         Operand(p.parameter("shift", {d}, init::zeros(), loc), loc);
}

// x with its last `axes` axes as one, and the shape they had.
struct Flat {
  Tensor x;
  Shape tail;
};

Flat flat(const Tensor& x, const NormAxes& o, std::string_view what, const SourceLoc& loc) {
  if (!x.valid()) fail(loc, "'", what, "' is given a tensor that was never made");
  if (o.axes < 1 || o.axes > x.rank())
    fail(loc, "'", what, "' over ", o.axes, " axes needs x of at least that many and at least one",
         ", found ", x.type());
  Shape shape = x.shape();
  const Shape tail(shape.end() - o.axes, shape.end());
  shape.resize(shape.size() - tail.size());
  shape.push_back(ir::product(tail));
  return {reshape(x, shape, loc), tail};
}

// A parameter of these axes, read as one.
Tensor vector(const Scope& p, std::string_view name, const Shape& tail, const Initializer& start,
              const SourceLoc& loc) {
  return reshape(p.parameter(name, tail, start, loc), {ir::product(tail)}, loc);
}

}  // namespace

Tensor layer_norm(const Scope& p, const Tensor& x, double eps, SourceLoc loc) {
  check(x, 1, "layer_norm", loc);
  const auto in = p.enter();
  return scaled_and_shifted(p, by_root_mean_square(centred(x, -1, loc), -1, eps, loc), loc);
}

Tensor rms_norm(const Scope& p, const Tensor& x, double eps, SourceLoc loc) {
  check(x, 1, "rms_norm", loc);
  const auto in = p.enter();
  return scaled(p, by_root_mean_square(x, -1, eps, loc), x.dim(-1, loc), loc);
}

Tensor layer_norm(const Scope& p, const Tensor& x, const NormAxes& o, SourceLoc loc) {
  const auto in = p.enter();
  const Flat rows = flat(x, o, "layer_norm", loc);
  const Tensor y = by_root_mean_square(centred(rows.x, -1, loc), -1, o.eps, loc);
  const Tensor times =
      Operand(y, loc) * Operand(vector(p, "scale", rows.tail, init::ones(), loc), loc);
  const Tensor plus =
      Operand(times, loc) + Operand(vector(p, "shift", rows.tail, init::zeros(), loc), loc);
  return reshape(plus, x.shape(), loc);
}

Tensor rms_norm(const Scope& p, const Tensor& x, const NormAxes& o, SourceLoc loc) {
  const auto in = p.enter();
  const Flat rows = flat(x, o, "rms_norm", loc);
  const Tensor y = Operand(by_root_mean_square(rows.x, -1, o.eps, loc), loc) *
                   Operand(vector(p, "scale", rows.tail, init::ones(), loc), loc);
  return reshape(y, x.shape(), loc);
}

Tensor group_norm(const Scope& p, const Tensor& x, int64_t groups, double eps, SourceLoc loc) {
  check(x, 2, "group_norm", loc);
  const auto in = p.enter();
  const Dim channels = x.dim(-1, loc);
  const auto each = groups < 1 ? std::nullopt : channels.divided_by(Dim(groups));
  if (!each)
    fail(loc, "'group_norm' cannot cut ", channels, " channels of x into ", groups, " groups");
  const Shape shape = x.shape();
  const Dim positions = ir::product({shape.begin() + 1, shape.end() - 1});
  const Tensor grouped = reshape(x, {shape[0], positions, Dim(groups), *each}, loc);
  const Axes axes{1, 3};
  const Tensor y = by_root_mean_square(centred(grouped, axes, loc), axes, eps, loc);
  return scaled_and_shifted(p, reshape(y, shape, loc), loc);
}

BatchNormed batch_norm(const Scope& p, const Tensor& x, const Tensor& kept_mean,
                       const Tensor& kept_variance, const BatchNormOptions& o, SourceLoc loc) {
  check(x, 2, "batch_norm", loc);
  const auto in = p.enter();
  const auto normalised = [&](const Tensor& centre, const Tensor& variance) {
    const Tensor apart = Operand(x, loc) - Operand(centre, loc);
    const Tensor by = rsqrt(Operand(variance, loc) + Operand(o.eps, loc), loc);
    return scaled_and_shifted(p, Operand(apart, loc) * Operand(by, loc), loc);
  };
  if (!o.training) return {normalised(kept_mean, kept_variance), kept_mean, kept_variance};

  ir::Integers axes;
  for (int64_t d = 0; d + 1 < x.rank(); ++d) axes.push_back(d);
  // How many elements of each channel count, and their sum.
  Tensor count, mask;
  if (o.mask) {
    mask = expand(*o.mask, -1, loc);
    count = sum(cast(mask, x.dtype(), loc), Axes::all(), false, loc);
    count = maximum(Operand(count, loc), Operand(1, loc));  // of nothing: zeros
  } else {
    for (const int64_t d : axes) {
      const Tensor n = dim_size(x, d, x.dtype(), loc);
      count = count.valid() ? Operand(count, loc) * Operand(n, loc) : n;
    }
  }
  const auto average = [&](const Tensor& t) {
    const Tensor counted = o.mask ? where(Operand(mask, loc), Operand(t, loc), Operand(0, loc)) : t;
    return Operand(sum(counted, axes, false, loc), loc) / Operand(count, loc);
  };
  const Tensor centre = average(x);
  const Tensor apart = Operand(x, loc) - Operand(centre, loc);
  const Tensor variance = average(Operand(apart, loc) * Operand(apart, loc));
  const Tensor others = maximum(Operand(count, loc) - Operand(1, loc), Operand(1, loc));
  const Tensor unbiased =
      Operand(variance, loc) * Operand(Operand(count, loc) / Operand(others, loc), loc);
  const auto moved = [&](const Tensor& kept, const Tensor& now) {
    return Operand(kept, loc) +
           Operand(Operand(o.momentum, loc) *
                       Operand(Operand(stop_gradient(now, loc), loc) - Operand(kept, loc), loc),
                   loc);
  };
  return {normalised(centre, variance), moved(kept_mean, centre), moved(kept_variance, unbiased)};
}

Tensor batch_norm(Model& m, const Scope& p, const Tensor& x, const BatchNormOptions& o,
                  SourceLoc loc) {
  check(x, 2, "batch_norm", loc);
  const auto path = [&](std::string_view name) { return (p / name).path(); };
  const Shape channels{x.dim(-1, loc)};
  const std::string mean_path = path("mean"), variance_path = path("variance");
  const Tensor mean = m.state(mean_path, x.dtype(), channels, init::zeros(), loc),
               variance = m.state(variance_path, x.dtype(), channels, init::ones(), loc);
  const BatchNormed b = batch_norm(p, x, mean, variance, o, loc);
  const auto keep = [&](std::string name, const Tensor& next) {
    std::replace(name.begin(), name.end(), '/', '.');
    m.output(std::move(name), next, loc);
  };
  if (o.training) {
    keep(mean_path, b.mean);
    keep(variance_path, b.variance);
  }
  return b.y;
}

}  // namespace weft
