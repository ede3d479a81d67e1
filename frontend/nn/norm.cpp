// frontend/nn/norm.cpp -- norms in plain ops.
#include "frontend/nn/norm.h"

#include <algorithm>

namespace weft {
namespace {

// x / sqrt(mean(x^2) + eps), the mean over `axes`
Tensor by_root_mean_square(const Tensor& x, const Axes& axes, double eps) {
  const Tensor square = x * x;
  const Tensor variance = mean(square, axes, true);
  return x * rsqrt(variance + eps);
}

Tensor centred(const Tensor& x, const Axes& axes) { return x - mean(x, axes, true); }

void check(const Tensor& x, int least_rank, std::string_view what) {
  if (!x.valid()) fail(SourceLoc::here(), "'", what, "' is given a tensor that was never made");
  if (x.rank() < least_rank)
    fail(SourceLoc::here(), "'", what, "' needs x of ", least_rank == 1 ? "[...,D]" : "[B,...,C]",
         ", found ", x.type());
}

Tensor scaled(const Scope& p, const Tensor& x, const Dim& d) {
  return x * p.parameter("scale", {d}, init::ones());
}
Tensor scaled_and_shifted(const Scope& p, const Tensor& x) {
  const Dim d = x.dim(-1);
  return scaled(p, x, d) + p.parameter("shift", {d}, init::zeros());
}

// x with its last `axes` axes as one, and the shape they had.
struct Flat {
  Tensor x;
  Shape tail;
};

Flat flat(const Tensor& x, const NormAxes& o, std::string_view what) {
  if (!x.valid()) fail(SourceLoc::here(), "'", what, "' is given a tensor that was never made");
  if (o.axes < 1 || o.axes > x.rank())
    fail(SourceLoc::here(), "'", what, "' over ", o.axes,
         " axes needs x of at least that many and at least one", ", found ", x.type());
  Shape shape = x.shape();
  const Shape tail(shape.end() - o.axes, shape.end());
  shape.resize(shape.size() - tail.size());
  shape.push_back(ir::product(tail));
  return {reshape(x, shape), tail};
}

// A parameter of these axes, read as one.
Tensor vector(const Scope& p, std::string_view name, const Shape& tail, const Initializer& start) {
  return reshape(p.parameter(name, tail, start), {ir::product(tail)});
}

}  // namespace

Tensor layer_norm(const Scope& p, const Tensor& x, double eps, SourceLoc loc) {
  const auto in = p.enter(loc);
  check(x, 1, "layer_norm");
  return scaled_and_shifted(p, by_root_mean_square(centred(x, -1), -1, eps));
}

Tensor rms_norm(const Scope& p, const Tensor& x, double eps, SourceLoc loc) {
  const auto in = p.enter(loc);
  check(x, 1, "rms_norm");
  return scaled(p, by_root_mean_square(x, -1, eps), x.dim(-1));
}

Tensor layer_norm(const Scope& p, const Tensor& x, const NormAxes& o, SourceLoc loc) {
  const auto in = p.enter(loc);
  const Flat rows = flat(x, o, "layer_norm");
  const Tensor y = by_root_mean_square(centred(rows.x, -1), -1, o.eps);
  const Tensor times = y * vector(p, "scale", rows.tail, init::ones());
  const Tensor plus = times + vector(p, "shift", rows.tail, init::zeros());
  return reshape(plus, x.shape());
}

Tensor rms_norm(const Scope& p, const Tensor& x, const NormAxes& o, SourceLoc loc) {
  const auto in = p.enter(loc);
  const Flat rows = flat(x, o, "rms_norm");
  const Tensor y =
      by_root_mean_square(rows.x, -1, o.eps) * vector(p, "scale", rows.tail, init::ones());
  return reshape(y, x.shape());
}

Tensor group_norm(const Scope& p, const Tensor& x, int64_t groups, double eps, SourceLoc loc) {
  const auto in = p.enter(loc);
  check(x, 2, "group_norm");
  const Dim channels = x.dim(-1);
  const auto each = groups < 1 ? std::nullopt : channels.divided_by(Dim(groups));
  if (!each)
    fail(loc, "'group_norm' cannot cut ", channels, " channels of x into ", groups, " groups");
  const Shape shape = x.shape();
  const Dim positions = ir::product({shape.begin() + 1, shape.end() - 1});
  const Tensor grouped = reshape(x, {shape[0], positions, Dim(groups), *each});
  const Axes axes{1, 3};
  const Tensor y = by_root_mean_square(centred(grouped, axes), axes, eps);
  return scaled_and_shifted(p, reshape(y, shape));
}

BatchNormed batch_norm(const Scope& p, const Tensor& x, const Tensor& kept_mean,
                       const Tensor& kept_variance, const BatchNormOptions& o, SourceLoc loc) {
  const auto in = p.enter(loc);
  check(x, 2, "batch_norm");
  const auto normalised = [&](const Tensor& centre, const Tensor& variance) {
    const Tensor apart = x - centre;
    const Tensor by = rsqrt(variance + o.eps);
    return scaled_and_shifted(p, apart * by);
  };
  if (!o.training) return {normalised(kept_mean, kept_variance), kept_mean, kept_variance};

  ir::Integers axes;
  for (int64_t d = 0; d + 1 < x.rank(); ++d) axes.push_back(d);
  // How many elements of each channel count, and their sum.
  Tensor count, mask;
  if (o.mask) {
    mask = expand(*o.mask, -1);
    count = sum(cast(mask, x.dtype()));
    count = maximum(count, 1);  // of nothing: zeros
  } else {
    for (const int64_t d : axes) {
      const Tensor n = dim_size(x, d, x.dtype());
      count = count.valid() ? count * n : n;
    }
  }
  const auto average = [&](const Tensor& t) {
    const Tensor counted = o.mask ? where(mask, t, 0) : t;
    return sum(counted, axes) / count;
  };
  const Tensor centre = average(x);
  const Tensor apart = x - centre;
  const Tensor variance = average(apart * apart);
  const Tensor others = maximum(count - 1, 1);
  const Tensor unbiased = variance * (count / others);
  const auto moved = [&](const Tensor& kept, const Tensor& now) {
    return kept + o.momentum * (stop_gradient(now) - kept);
  };
  return {normalised(centre, variance), moved(kept_mean, centre), moved(kept_variance, unbiased)};
}

Tensor batch_norm(Model& m, const Scope& p, const Tensor& x, const BatchNormOptions& o,
                  SourceLoc loc) {
  const CalledFrom from(loc);
  check(x, 2, "batch_norm");
  const auto path = [&](std::string_view name) { return (p / name).path(); };
  const Shape channels{x.dim(-1)};
  const std::string mean_path = path("mean"), variance_path = path("variance");
  const Tensor mean = m.state(mean_path, x.dtype(), channels, init::zeros()),
               variance = m.state(variance_path, x.dtype(), channels, init::ones());
  const BatchNormed b = batch_norm(p, x, mean, variance, o);
  const auto keep = [&](std::string name, const Tensor& next) {
    std::replace(name.begin(), name.end(), '/', '.');
    m.output(std::move(name), next);
  };
  if (o.training) {
    keep(mean_path, b.mean);
    keep(variance_path, b.variance);
  }
  return b.y;
}

}  // namespace weft
