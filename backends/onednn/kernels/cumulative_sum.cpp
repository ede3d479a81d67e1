// backends/onednn/kernels/cumulative_sum.cpp -- running sums and products along one axis.
#include "backends/onednn/kernels/cumulative_sum.h"

#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

template <class T, class Wide>
void run(const CumulativeSum& args) {
  const int64_t n = args.n, inner = args.inner;
  parallel_for(args.outer * inner, n, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = i / inner * n * inner + i % inner;
      const T* x = static_cast<const T*>(args.x) + at;
      T* y = static_cast<T*>(args.y) + at;
      Wide total = args.product ? 1 : 0;
      for (int64_t l = 0; l < n; ++l) {
        const int64_t j = (args.reverse ? n - 1 - l : l) * inner;
        const Wide before = total;
        total = args.product ? total * (Wide)x[j] : total + (Wide)x[j];
        y[j] = (T)(args.exclusive ? before : total);
      }
    }
  });
}

}  // namespace

void cumulative_sum(const CumulativeSum& args) {
  switch (args.dtype) {
    case DType::s32:
      return run<int32_t, uint32_t>(args);
    case DType::s64:
      return run<int64_t, uint64_t>(args);
    default:
      return run<float, double>(args);
  }
}

void linear_recurrence(const LinearRecurrence& args) {
  const int64_t n = args.n, inner = args.inner;
  parallel_for(args.outer * inner, n, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = i / inner * n * inner + i % inner;
      float y = 0;
      for (int64_t l = 0; l < n; ++l) {
        const int64_t j = at + (args.reverse ? n - 1 - l : l) * inner;
        y = l == 0 ? args.b[j] : args.a[j] * y + args.b[j];
        args.y[j] = y;
      }
    }
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
