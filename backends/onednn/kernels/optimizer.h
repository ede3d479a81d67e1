// backends/onednn/kernels/optimizer.h -- parameter updates, all tensors in one parallel region.
//
// g below is grad_scale*g (clipping, averaging over tokens) plus weight_decay*p, unless decoupled.
//   sum_of_squares   result = sum over all tensors of g^2 (unscaled), in double, fixed chunks:
//                    the bits do not depend on the number of threads
//   sgd              m = momentum*m + g;  p -= lr*m                          (momentum 0: p -=
//   lr*g, m unused) adam             m = b1*m + (1-b1)*g;  v = b2*v + (1-b2)*g^2
//                    p -= lr * m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps)         (Kingma & Ba 2015, as
//                    in torch) decoupled: p *= 1 - lr*weight_decay first               (AdamW)
//   adadelta         v = rho*v + (1-rho)*g^2;  d = g*sqrt(m + eps)/sqrt(v + eps)
//                    m = rho*m + (1-rho)*d^2;  p -= lr*d                     (Zeiler 2012, as in
//                    torch)
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

// Elements of one tensor that are summed together, and updated by one thread.
inline constexpr int64_t kSumOfSquaresChunk = 16384;

struct ParameterTensor {
  float* p = nullptr;
  const float* g = nullptr;
  float* m = nullptr;  // momentum; adadelta: mean square of the updates
  float* v = nullptr;  // mean square of the gradients
  int64_t n = 0;
};

struct SumOfSquares {
  const ParameterTensor* tensors = nullptr;  // only g and n are read
  int64_t count = 0;
  double* result = nullptr;
  void* workspace = nullptr;  // sum_of_squares_workspace_bytes
};

struct Sgd {
  const ParameterTensor* tensors = nullptr;
  int64_t count = 0;
  float grad_scale = 1, lr = 0, momentum = 0, weight_decay = 0;
};

struct Adam {
  const ParameterTensor* tensors = nullptr;
  int64_t count = 0;
  int64_t step = 1;  // t, from 1
  float grad_scale = 1, lr = 1e-3F, weight_decay = 0;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  bool decoupled = false;
};

struct Adadelta {
  const ParameterTensor* tensors = nullptr;
  int64_t count = 0;
  float grad_scale = 1, lr = 1, rho = 0.95F, eps = 1e-6F, weight_decay = 0;
};

size_t sum_of_squares_workspace_bytes(const SumOfSquares& args);
void sum_of_squares(const SumOfSquares& args);
void sgd(const Sgd& args);
void adam(const Adam& args);
void adadelta(const Adadelta& args);

}  // namespace weft::onednn::kernels
