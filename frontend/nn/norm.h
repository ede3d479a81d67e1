// frontend/nn/norm.h -- norms: over the last axes (of which passes make one op each), over groups of
// channels, over a batch.
//
// Throws GraphError, at the line of the call, where shapes or settings do not go together.
#pragma once
#include "frontend/language/scope.h"

#include <optional>

namespace weft {

// y = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) * scale + shift  (Ba et al. 2016, eq. 4)
// x: T[...,D] -> T[...,D]; parameters scale, shift [D]
Tensor layer_norm(const Scope& p, const Tensor& x, double eps = 1e-5,
                  SourceLoc loc = SourceLoc::here());

// y = x / sqrt(mean(x^2) + eps) * scale                          (Zhang and Sennrich 2019, eq. 4)
// x: T[...,D] -> T[...,D]; parameter scale [D]
Tensor rms_norm(const Scope& p, const Tensor& x, double eps = 1e-6,
                SourceLoc loc = SourceLoc::here());

struct NormAxes {
  int axes = 1;  // the last so many are normalised together
  double eps = 1e-5;
};
// The same over several axes at once: x: T[...,D1,...,Dn] -> the same; parameters [D1,...,Dn]
Tensor layer_norm(const Scope& p, const Tensor& x, const NormAxes& options,
                  SourceLoc loc = SourceLoc::here());
Tensor rms_norm(const Scope& p, const Tensor& x, const NormAxes& options,
                SourceLoc loc = SourceLoc::here());

// Layer norm of each group of channels together with everything between it and the batch (Wu and He
// 2018). With as many groups as channels it is instance norm. Positions behind a sequence's end
// count as any others.
// x: T[B,...,C] -> T[B,...,C]; parameters scale, shift [C]
Tensor group_norm(const Scope& p, const Tensor& x, int64_t groups, double eps = 1e-5,
                  SourceLoc loc = SourceLoc::here());

struct BatchNormOptions {
  bool training = true;   // with the batch's own statistics; else with those that are kept
  double momentum = 0.1;  // of a batch in what is kept
  double eps = 1e-5;
  std::optional<Tensor> mask = std::nullopt;  // pred[B,...] without channels: what counts
};
struct BatchNormed {
  Tensor y;               // T[...,C]
  Tensor mean, variance;  // T[C]: what is to be kept after this batch
};
// y = (x - mean) / sqrt(variance + eps) * scale + shift, mean and variance being those of each
// channel over everything else (Ioffe and Szegedy 2015). What is kept moves towards those of the
// batch by `momentum`, the variance without its bias (n / (n - 1)); no gradient flows through it.
// x: T[...,C], mean, variance: T[C]; parameters scale, shift [C]
BatchNormed batch_norm(const Scope& p, const Tensor& x, const Tensor& mean, const Tensor& variance,
                       const BatchNormOptions& options = {}, SourceLoc loc = SourceLoc::here());
// With mean and variance kept as states of the model at p/"mean" and p/"variance". -> y
Tensor batch_norm(Model& m, const Scope& p, const Tensor& x, const BatchNormOptions& options = {},
                  SourceLoc loc = SourceLoc::here());

}  // namespace weft
