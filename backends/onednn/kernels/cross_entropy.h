// backends/onednn/kernels/cross_entropy.h -- log-softmax, label-smoothed loss, and their gradient.
//
//   logits: f32[rows,V], labels: s32|s64[rows]  ->  loss, lse: f32[rows];  dlogits: f32[rows,V]
//
//   lse = log sum_j exp(x_j)     log p_j = x_j - max - log(sum exp(x - max))
//   loss = w*((1-eps)*-log p_label + eps*-mean(log p))
//   dlogits_j = drow*w*(p_j - (1-eps)*[j = label] - eps/V)
//
// A row that is -inf throughout has an infinite loss and a gradient of zeros. A row of weight 0 is
// not read at all, nor is its label: loss 0, lse 0, dlogits zeros. Returns -1, or the first row
// whose label lies outside [0, V) (that row is treated as one of weight 0); with `skip_unknown` such
// a label has no term instead, and nothing is wrong.
// `cross_entropy_fused` does both passes while the row is in the cache; the other two are its
// halves. With `low` it reads scores of bf16, computes in f32 and writes their gradient, rounded to
// nearest, in their place.
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct CrossEntropy {
  int64_t rows = 0, classes = 0;
  const float* logits = nullptr;
  int64_t ld_logits = 0;  // 0 means dense
  const void* labels = nullptr;
  DType label_dtype = DType::s32;
  const float* weight = nullptr;  // [rows]; null is 1
  float smoothing = 0;
  bool skip_unknown = false;
  float* loss = nullptr;  // [rows]; optional in the gradient
  float* lse = nullptr;   // [rows]; written by forward and fused (optional), read by the gradient
  const float* drow = nullptr;  // [rows] cotangent of loss; null is 1
  int64_t drow_stride = 1;      // 0: one value for all rows
  float* dlogits = nullptr;     // may be logits
  int64_t ld_dlogits = 0;       // 0 means dense
  uint16_t* low = nullptr;      // fused: bf16[rows,V] in place of logits and dlogits; or null
  int64_t ld_low = 0;
  float* workspace = nullptr;  // with `low`: cross_entropy_workspace_bytes
};

size_t cross_entropy_workspace_bytes(const CrossEntropy& args);

int64_t cross_entropy(const CrossEntropy& args);        // loss, lse
int64_t cross_entropy_grad(const CrossEntropy& args);   // dlogits from lse
int64_t cross_entropy_fused(const CrossEntropy& args);  // loss, lse, dlogits

}  // namespace weft::onednn::kernels
