// backends/reference/eval/reduce.cpp -- what reductions, cumsum and arg_max compute.
#include "ir/ops/reduce.h"

#include "backends/reference/eval/table.h"

#include <xtensor/xmanipulation.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace weft::backends::reference::eval {
namespace {

namespace ops = ir::ops;

// Folds the elements over `axes`, which are moved to the end first, in row-major order.
template <typename T, typename F>
Dense<T> fold(const Call& call, const Dense<T>& x, T start, F f) {
  const std::vector<int64_t> axes = call.op.axes();
  std::vector<size_t> perm;
  for (size_t d = 0; d < x.dimension(); ++d)
    if (std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) == axes.end())
      perm.push_back(d);
  perm.insert(perm.end(), axes.begin(), axes.end());
  const Dense<T> rows = xt::transpose(x, perm);
  Dense<T> y = filled<T>(call.dims(), start);
  const size_t length = y.size() == 0 ? 0 : rows.size() / y.size();
  for (size_t i = 0; i < rows.size(); ++i)
    y.data()[i / length] = f(y.data()[i / length], rows.data()[i]);
  return y;
}

int64_t lowest(ir::DType dtype) {
  return ir::info(dtype).is_signed
             ? std::numeric_limits<int64_t>::min() >> (64 - ir::info(dtype).bits)
             : 0;
}
int64_t highest(ir::DType dtype) {
  return static_cast<int64_t>(std::numeric_limits<uint64_t>::max() >>
                              (64 - ir::info(dtype).bits + ir::info(dtype).is_signed));
}

// x[0], x[1], ... along `axis` put together by f, one lane after the other; y is of x's dims.
template <typename T, typename F>
Dense<T> running(const Call& call, const Dense<T>& x, T start, F f) {
  const bool exclusive = call.op.flag("exclusive"), from_end = call.op.flag("reverse");
  const Split s(dims_of(x), call.op.axis());
  Dense<T> y = x;
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t i = 0; i < s.inner; ++i) {
      T so_far = start;
      for (int64_t j = 0; j < s.size; ++j) {
        const int64_t at = (o * s.size + (from_end ? s.size - 1 - j : j)) * s.inner + i;
        if (exclusive) y.data()[at] = so_far;
        so_far = f(so_far, x.data()[at]);
        if (!exclusive) y.data()[at] = so_far;
      }
    }
  return y;
}

// Integers are taken without sign: they wrap.
template <typename F>
Tensor running(const Call& call, int start, F f) {
  const Tensor& x = call.in[0];
  if (x.is_float()) return running(call, x.floats(), static_cast<double>(start), f);
  const Dense<uint64_t> y =
      running(call, Dense<uint64_t>(xt::cast<uint64_t>(x.ints())), static_cast<uint64_t>(start), f);
  return stored(Ints(xt::cast<int64_t>(y)), call.dtype());
}

bool is_nan(double x) { return std::isnan(x); }
bool is_nan(int64_t) { return false; }

template <typename T>
Ints first_greatest(const Call& call, const Dense<T>& x) {
  const Split s(dims_of(x), call.op.axis());
  Ints y = filled<int64_t>(call.dims(), 0);
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t i = 0; i < s.inner; ++i) {
      const auto element = [&](int64_t j) { return x.data()[(o * s.size + j) * s.inner + i]; };
      int64_t best = 0;
      for (int64_t j = 1; j < s.size; ++j)
        if (!is_nan(element(best)) && (is_nan(element(j)) || element(j) > element(best))) best = j;
      y.data()[o * s.inner + i] = best;
    }
  return y;
}

}  // namespace

const Evaluation sum{
    &ops::sum, [](const Call& call) -> Tensor {
      const Tensor& x = call.in[0];
      if (x.is_float())
        return fold(call, x.floats(), 0.0, [](double a, double b) { return a + b; });
      return stored(
          fold(call, x.ints(), int64_t{0},
               [](int64_t a, int64_t b) {
                 return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
               }),
          call.dtype());
    }};

const Evaluation prod{
    &ops::prod, [](const Call& call) -> Tensor {
      const Tensor& x = call.in[0];
      if (x.is_float())
        return fold(call, x.floats(), 1.0, [](double a, double b) { return a * b; });
      return stored(
          fold(call, x.ints(), int64_t{1},
               [](int64_t a, int64_t b) {
                 return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
               }),
          call.dtype());
    }};

const Evaluation mean{&ops::mean, [](const Call& call) -> Tensor {
                        const Floats& x = call.in[0].floats();
                        Floats y = fold(call, x, 0.0, [](double a, double b) { return a + b; });
                        for (double& e : y)
                          e /= static_cast<double>(x.size()) / static_cast<double>(y.size());
                        return y;
                      }};

const Evaluation max{&ops::max, [](const Call& call) -> Tensor {
                       const Tensor& x = call.in[0];
                       if (x.is_float())
                         return fold(call, x.floats(), -HUGE_VAL, [](double a, double b) {
                           return std::isnan(a) || a > b ? a : b;
                         });
                       return fold(call, x.ints(), lowest(call.dtype()),
                                   [](int64_t a, int64_t b) { return std::max(a, b); });
                     }};

const Evaluation min{&ops::min, [](const Call& call) -> Tensor {
                       const Tensor& x = call.in[0];
                       if (x.is_float())
                         return fold(call, x.floats(), HUGE_VAL, [](double a, double b) {
                           return std::isnan(a) || a < b ? a : b;
                         });
                       return fold(call, x.ints(), highest(call.dtype()),
                                   [](int64_t a, int64_t b) { return std::min(a, b); });
                     }};

const Evaluation cumsum{&ops::cumsum, [](const Call& call) -> Tensor {
                          return running(call, 0, [](auto a, auto b) { return a + b; });
                        }};

const Evaluation cumprod{&ops::cumprod, [](const Call& call) -> Tensor {
                           return running(call, 1, [](auto a, auto b) { return a * b; });
                         }};

const Evaluation linear_recurrence{
    &ops::linear_recurrence, [](const Call& call) -> Tensor {
      const Floats &a = call.in[0].floats(), &b = call.in[1].floats();
      const bool from_end = call.op.flag("reverse");
      const Split s(dims_of(a), call.op.axis());
      Floats y = b;
      for (int64_t o = 0; o < s.outer; ++o)
        for (int64_t i = 0; i < s.inner; ++i)
          for (int64_t j = 1; j < s.size; ++j) {
            const auto place = [&](int64_t k) {
              return (o * s.size + (from_end ? s.size - 1 - k : k)) * s.inner + i;
            };
            y.data()[place(j)] += a.data()[place(j)] * y.data()[place(j - 1)];
          }
      return y;
    }};

const Evaluation arg_max{&ops::arg_max, [](const Call& call) -> Tensor {
                           const Tensor& x = call.in[0];
                           return x.is_float() ? first_greatest(call, x.floats())
                                               : first_greatest(call, x.ints());
                         }};

std::span<const Evaluation* const> of_reduce() {
  static const Evaluation* const kEvaluations[] = {
      &sum, &prod, &mean, &max, &min, &cumsum, &cumprod, &linear_recurrence, &arg_max};
  return kEvaluations;
}

}  // namespace weft::backends::reference::eval
