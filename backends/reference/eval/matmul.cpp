// backends/reference/eval/matmul.cpp -- what matmul computes: c[i,j] = sum over k of a[i,k] b[k,j].
#include "ir/ops/matmul.h"

#include "backends/reference/eval/table.h"

#include <xtensor/xmanipulation.hpp>

#include <numeric>

namespace weft::backends::reference::eval {
namespace {

template <typename T>
Dense<T> last_axes_exchanged(const Dense<T>& x) {
  std::vector<size_t> perm(x.dimension());
  std::iota(perm.begin(), perm.end(), size_t{0});
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return xt::transpose(x, perm);
}

// The leading axes of c, then the last two of x.
template <typename T>
Dense<T> with_batch_of(const Dims& c, const Dense<T>& x) {
  Dims dims(c.begin(), c.end() - 2);
  dims.insert(dims.end(), x.shape().end() - 2, x.shape().end());
  return reference::broadcast(x, dims);
}

// Integers are multiplied without sign: they wrap.
double times(double x, double y) { return x * y; }
uint64_t times(int64_t x, int64_t y) { return static_cast<uint64_t>(x) * static_cast<uint64_t>(y); }

template <typename T>
Dense<T> product(const Call& call, Dense<T> a, Dense<T> b) {
  if (call.op.flag("transpose_a")) a = last_axes_exchanged(a);
  if (call.op.flag("transpose_b")) b = last_axes_exchanged(b);
  a = with_batch_of(call.dims(), a);
  b = with_batch_of(call.dims(), b);
  Dense<T> c = filled<T>(call.dims(), 0);
  const size_t rank = c.dimension();
  const size_t m = c.shape(rank - 2), n = c.shape(rank - 1), k = a.shape(rank - 1);
  const size_t batches = m * n == 0 ? 0 : c.size() / (m * n);
  for (size_t s = 0; s < batches; ++s)
    for (size_t i = 0; i < m; ++i)
      for (size_t l = 0; l < k; ++l)
        for (size_t j = 0; j < n; ++j) {
          T& sum = c.data()[(s * m + i) * n + j];
          sum = static_cast<T>(sum +
                               times(a.data()[(s * m + i) * k + l], b.data()[(s * k + l) * n + j]));
        }
  return c;
}

}  // namespace

const Evaluation matmul{&ir::ops::matmul, [](const Call& call) -> Tensor {
                          const Tensor &a = call.in[0], &b = call.in[1];
                          if (a.is_float()) return product(call, a.floats(), b.floats());
                          return stored(product(call, a.ints(), b.ints()), call.dtype());
                        }};

std::span<const Evaluation* const> of_matmul() {
  static const Evaluation* const kEvaluations[] = {&matmul};
  return kEvaluations;
}

}  // namespace weft::backends::reference::eval
