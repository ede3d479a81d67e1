// backends/reference/eval/sort.cpp -- what sort computes.
#include "ir/ops/sort.h"

#include "backends/reference/eval/table.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weft::backends::reference::eval {
namespace {

bool less(int64_t a, int64_t b) { return a < b; }
bool less(double a, double b) { return std::isnan(b) ? !std::isnan(a) : a < b; }

template <typename T>
Tensors sorted(const Call& call, const Dense<T>& x) {
  const Split s(dims_of(x), call.op.axis());
  const bool descending = call.op.flag("descending");
  Dense<T> values = x;
  Ints indices = filled<int64_t>(call.dims(1), 0);
  std::vector<int64_t> order(static_cast<size_t>(s.size));
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t i = 0; i < s.inner; ++i) {
      const auto at = [&](int64_t j) { return (o * s.size + j) * s.inner + i; };
      std::iota(order.begin(), order.end(), int64_t{0});
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        const T u = x.data()[at(a)], v = x.data()[at(b)];
        return descending ? less(v, u) : less(u, v);
      });
      for (int64_t j = 0; j < s.size; ++j) {
        values.data()[at(j)] = x.data()[at(order[static_cast<size_t>(j)])];
        indices.data()[at(j)] = order[static_cast<size_t>(j)];
      }
    }
  return {values, indices};
}

}  // namespace

const Evaluation sort{&ir::ops::sort, std::function<Tensors(const Call&)>([](const Call& call) {
                        return call.in[0].is_float() ? sorted(call, call.in[0].floats())
                                                     : sorted(call, call.in[0].ints());
                      })};

std::span<const Evaluation* const> of_sort() {
  static const Evaluation* const kEvaluations[] = {&sort};
  return kEvaluations;
}

}  // namespace weft::backends::reference::eval
