// backends/onednn/kernels/arg_max.cpp -- where the largest element of an axis stands.
#include "backends/onednn/kernels/arg_max.h"

#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

WEFT_INLINE bool beats(float a, float b) { return a > b || (a != a && b == b); }

// The row's largest value a vector at a time, then the first place that holds it.
int64_t first_largest(const float* x, int64_t n) {
  Vec top = splat(-__builtin_inff());
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) top = maximum(load(x + i), top);
  float best = i > 0 ? largest(top) : x[0];
  for (; i < n; ++i) best = beats(x[i], best) ? x[i] : best;
  for (i = 0; i < n; ++i)
    if (x[i] == best || (best != best && x[i] != x[i])) return i;
  return 0;
}

int64_t first_largest_strided(const float* x, int64_t n, int64_t stride) {
  int64_t best = 0;
  for (int64_t j = 1; j < n; ++j)
    if (beats(x[j * stride], x[best * stride])) best = j;
  return best;
}

}  // namespace

void arg_max(const ArgMax& args) {
  const int64_t n = args.n, inner = args.inner;
  const int64_t x_n = dense_or(args.x_n, inner), x_outer = dense_or(args.x_outer, n * inner);
  parallel_for(args.outer * inner, n, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* x = args.x + i / inner * x_outer + i % inner;
      const int64_t at = x_n == 1 ? first_largest(x, n) : first_largest_strided(x, n, x_n);
      if (args.index == DType::s32) {
        static_cast<int32_t*>(args.y)[i] = static_cast<int32_t>(at);
      } else {
        static_cast<int64_t*>(args.y)[i] = at;
      }
    }
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
