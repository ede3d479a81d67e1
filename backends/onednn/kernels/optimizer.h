// backends/onednn/kernels/optimizer.h -- parameter updates, all tensors in one parallel region.
//
// g below is grad_scale*g (clipping, averaging over tokens) plus weight_decay*p; decoupled:
// instead p *= 1 - lr*weight_decay before the update.
//
//   sum_of_squares   result = sum over all tensors of g^2 (unscaled), in double, fixed chunks:
//                    the bits do not depend on the number of threads
//   sgd              m = momentum*m + g;  p -= lr*m, nesterov: p -= lr*(g + momentum*m)
//                    (momentum 0: p -= lr*g, m unused)
//   adam             m = b1*m + (1-b1)*g;  v = b2*v + (1-b2)*g^2
//                    p -= lr * m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps)         (Kingma & Ba 2015, as
//                    in torch)
//   adadelta         v = rho*v + (1-rho)*g^2;  d = g*sqrt(m + eps)/sqrt(v + eps)
//                    m = rho*m + (1-rho)*d^2;  p -= lr*d                     (Zeiler 2012, as in
//                    torch)
//   adagrad          m += g^2;  p -= lr*g/(sqrt(m + initial) + eps)          (Duchi et al. 2011)
//   lion             p -= lr*sign(b1*m + (1-b1)*g);  m = b2*m + (1-b2)*g     (Chen et al. 2023)
//   moving_average   m = decay*m + (1-decay)*p
//   adafactor        ir/ops/optimizer.h; v and c are its r and c. Sums are taken in fixed chunks of
//                    rows, in double: the bits do not depend on the number of threads
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

// Of those that take a weight decay.
struct Decay {
  float rate = 0;
  bool decoupled = false;
};

struct Sgd {
  const ParameterTensor* tensors = nullptr;
  int64_t count = 0;
  float grad_scale = 1, lr = 0, momentum = 0;
  bool nesterov = false;
  Decay decay = {};
};

struct Adam {
  const ParameterTensor* tensors = nullptr;
  int64_t count = 0;
  int64_t step = 1;  // t, from 1
  float grad_scale = 1, lr = 1e-3F;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  Decay decay = {};
};

struct Adadelta {
  const ParameterTensor* tensors = nullptr;
  int64_t count = 0;
  float grad_scale = 1, lr = 1, rho = 0.95F, eps = 1e-6F;
  Decay decay = {};
};

struct Adagrad {
  const ParameterTensor* tensors = nullptr;
  int64_t count = 0;
  float grad_scale = 1, lr = 1e-2F, eps = 1e-10F, initial = 0;
  Decay decay = {};
};

struct Lion {
  const ParameterTensor* tensors = nullptr;
  int64_t count = 0;
  float grad_scale = 1, lr = 1e-4F;
  double beta1 = 0.9, beta2 = 0.99;
  Decay decay = {};
};

struct MovingAverage {
  const ParameterTensor* tensors = nullptr;  // p is only read, g unused
  int64_t count = 0;
  float decay = 0;
};

// A parameter seen as `planes` matrices of rows x columns.
struct FactoredTensor {
  float* p = nullptr;
  const float* g = nullptr;
  float* m = nullptr;  // null: no first moments
  float* v = nullptr;  // [planes, rows]; not factored: as p
  float* c = nullptr;  // [planes, columns]; null: not factored
  int64_t planes = 1, rows = 1, columns = 1;
};

struct Adafactor {
  const FactoredTensor* tensors = nullptr;
  int64_t count = 0;
  float grad_scale = 1, lr = 1, beta2 = 0;
  float beta1 = 0, eps = 1e-30F, clip = 1, least_scale = 1e-3F;
  bool scaled = true;
  Decay decay = {};
  void* workspace = nullptr;  // adafactor_workspace_bytes
};

// Rows of one plane that are summed together.
constexpr int64_t adafactor_chunk(const FactoredTensor& t) {
  const int64_t short_rows = kSumOfSquaresChunk / (t.columns > 0 ? t.columns : 1);
  const int64_t share = (t.rows + 31) / 32;  // 32 chunks of a plane at most
  return short_rows > share ? short_rows : share > 0 ? share : 1;
}

size_t sum_of_squares_workspace_bytes(const SumOfSquares& args);
size_t adafactor_workspace_bytes(const Adafactor& args);
void sum_of_squares(const SumOfSquares& args);
void sgd(const Sgd& args);
void adam(const Adam& args);
void adadelta(const Adadelta& args);
void adagrad(const Adagrad& args);
void lion(const Lion& args);
void moving_average(const MovingAverage& args);
void adafactor(const Adafactor& args);

}  // namespace weft::onednn::kernels
