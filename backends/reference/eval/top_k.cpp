// backends/reference/eval/top_k.cpp -- what top_k computes.
#include "ir/ops/top_k.h"

#include "backends/reference/eval/table.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weft::backends::reference::eval {
namespace {

bool greater(int64_t a, int64_t b) { return a > b; }
bool greater(double a, double b) { return std::isnan(a) ? !std::isnan(b) : a > b; }

template <typename T>
Tensors greatest(const Call& call, const Dense<T>& x) {
  Dense<T> values = filled<T>(call.dims(0), 0);
  Ints indices = filled<int64_t>(call.dims(1), 0);
  const int64_t n = call.in[0].dims().back(), k = call.dims(0).back();
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (size_t row = 0; row * static_cast<size_t>(k) < values.size(); ++row) {
    const T* lane = x.data() + static_cast<int64_t>(row) * n;
    std::iota(order.begin(), order.end(), int64_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return greater(lane[a], lane[b]); });
    for (int64_t i = 0; i < k; ++i) {
      const int64_t at = static_cast<int64_t>(row) * k + i;
      values.data()[at] = lane[order[static_cast<size_t>(i)]];
      indices.data()[at] = order[static_cast<size_t>(i)];
    }
  }
  return {values, indices};
}

}  // namespace

const Evaluation top_k{&ir::ops::top_k, std::function<Tensors(const Call&)>([](const Call& call) {
                         return call.in[0].is_float() ? greatest(call, call.in[0].floats())
                                                      : greatest(call, call.in[0].ints());
                       })};

std::span<const Evaluation* const> of_top_k() {
  static const Evaluation* const kEvaluations[] = {&top_k};
  return kEvaluations;
}

}  // namespace weft::backends::reference::eval
