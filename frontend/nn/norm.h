// frontend/nn/norm.h -- layer norm and RMS norm over the last axis; a pass makes one op of each.
#pragma once
#include "frontend/language/scope.h"

namespace weft {

// y = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) * scale + shift      (Ba et al. 2016, eq.
// 4) x: T[...,D] -> T[...,D]; parameters scale, shift [D]
Tensor layer_norm(const Scope& p, const Tensor& x, double eps = 1e-5,
                  SourceLoc loc = SourceLoc::here());

// y = x / sqrt(mean(x^2) + eps) * scale                             (Zhang and Sennrich 2019, eq.
// 4) x: T[...,D] -> T[...,D]; parameter scale [D]
Tensor rms_norm(const Scope& p, const Tensor& x, double eps = 1e-6,
                SourceLoc loc = SourceLoc::here());

}  // namespace weft
