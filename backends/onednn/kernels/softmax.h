// backends/onednn/kernels/softmax.h -- softmax, log-softmax, log-sum-exp, and their derivatives.
//
//   y = exp(x - max) / sum exp(x - max)         y = x - max - log(sum exp(x - max))
//   dx = y*(dy - sum(dy*y))                     dx = dy - exp(y)*sum(dy)
//
// over the last axis of [batch,heads,rows,n], or (inner > 1) over the middle axis of
// [rows,n,inner] (then no mask and batch = heads = 1). Rows of x are numbered through:
// ((b*heads + h)*rows + t)*ld. A row that is -inf throughout, or masked throughout, gives zeros and
// a zero gradient (-inf for log_softmax); NaN behind the mask is never read into the result,
// NaN elsewhere fills its row. Masked columns of y are 0 (log: -inf). +inf in a row gives NaN.
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct Softmax {
  int64_t batch = 1, heads = 1, rows = 1, n = 1, inner = 1;
  bool log = false;
  const float* x = nullptr;
  float* y = nullptr;          // may be x
  int64_t ld_x = 0, ld_y = 0;  // distance of rows; 0 means dense (n*inner)
  Mask mask;
};

struct SoftmaxGrad {
  int64_t rows = 1, n = 1, inner = 1;
  bool log = false;
  const float* y = nullptr;
  const float* dy = nullptr;
  float* dx = nullptr;  // may be dy or y
  int64_t ld_y = 0, ld_dy = 0, ld_dx = 0;
};

// y[row] = log sum_j exp(x[row,j]) over the last axis; -inf for a row of -inf.
struct LogSumExp {
  int64_t rows = 1, n = 1;
  const float* x = nullptr;
  int64_t ld_x = 0;
  float* y = nullptr;
};

void softmax(const Softmax& args);
void softmax_grad(const SoftmaxGrad& args);
void log_sum_exp(const LogSumExp& args);

}  // namespace weft::onednn::kernels
