// backends/onednn/kernels/norm.h -- layer norm and RMS norm by rows, and their derivatives.
//
//   n = (x - mean) * rstd (RMS norm: mean 0),  rstd = 1 / sqrt(mean of squares + eps)
//   y = n * scale + shift
//   g = dy * scale:  dx = rstd * (g - mean(g) - n * mean(g * n))
//   dscale = sum dy * n,  dshift = sum dy
//
// The variance is taken of the centred row while it is in the cache. Sums over rows run over chunks
// of a fixed number of rows that are then added in order: the bits do not depend on the number of
// threads.
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct Norm {
  int64_t rows = 0, n = 0;
  bool centred = true;  // layer norm; else RMS norm
  float eps = 0;
  const float* x = nullptr;
  int64_t ld_x = 0;                                // 0 means dense
  const float *scale = nullptr, *shift = nullptr;  // [n]; null: 1 and 0
  float* y = nullptr;                              // may be x; null with `low`
  uint16_t* low = nullptr;                         // y rounded to bf16, in its place; ld_y apart
  int64_t ld_y = 0;                                // 0 means dense
  float *mean = nullptr, *rstd = nullptr;          // [rows]; optional
};

struct NormGrad {
  int64_t rows = 0, n = 0;
  bool centred = true;
  const float *dy = nullptr, *x = nullptr;
  const uint16_t* low = nullptr;  // x as bf16, in its place; ld_x apart
  int64_t ld_dy = 0, ld_x = 0;
  const float *mean = nullptr, *rstd = nullptr;  // [rows]; mean of layer norm only
  const float* scale = nullptr;                  // [n]; null: 1
  float* dx = nullptr;                           // may be dy or x; optional
  int64_t ld_dx = 0;
  float *dscale = nullptr, *dshift = nullptr;  // [n]; optional
  float* workspace = nullptr;                  // norm_grad_workspace_bytes
};

inline constexpr int64_t kNormChunk =
    32;  // rows whose contributions to dscale and dshift are summed first

void norm(const Norm& args);
void norm_grad(const NormGrad& args);
size_t norm_grad_workspace_bytes(const NormGrad& args);

}  // namespace weft::onednn::kernels
