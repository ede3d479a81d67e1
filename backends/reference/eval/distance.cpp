// backends/reference/eval/distance.cpp -- values by distance, and their sums.
#include "ir/ops/distance.h"

#include "backends/reference/eval/table.h"

namespace weft::backends::reference::eval {
namespace {

// visit(place of x, place of y) for all queries and keys; sizes are those of y: [...,Tq,S].
template <typename Visit>
void by_distance_each(const Dims& y, Visit visit) {
  const int64_t queries = y[y.size() - 2], keys = y.back(), all = queries + keys - 1;
  int64_t outer = 1;
  for (size_t d = 0; d + 2 < y.size(); ++d) outer *= y[d];
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t t = 0; t < queries; ++t)
      for (int64_t j = 0; j < keys; ++j)
        visit(o * all + j - t + queries - 1, (o * queries + t) * keys + j);
}

}  // namespace

const Evaluation by_distance{&ir::ops::by_distance, [](const Call& call) -> Tensor {
                               return call.in[0].map([&](const auto& x) {
                                 using Elements = std::decay_t<decltype(x)>;
                                 Elements y = filled<typename Elements::value_type>(call.dims(), 0);
                                 by_distance_each(call.dims(), [&](int64_t from, int64_t to) {
                                   y.data()[to] = x.data()[from];
                                 });
                                 return y;
                               });
                             }};

const Evaluation sum_by_distance{
    &ir::ops::sum_by_distance, [](const Call& call) -> Tensor {
      const Floats& y = call.in[0].floats();
      Floats x = filled<double>(call.dims(), 0);
      by_distance_each(call.in[0].dims(),
                       [&](int64_t to, int64_t from) { x.data()[to] += y.data()[from]; });
      return x;
    }};

std::span<const Evaluation* const> of_distance() {
  static const Evaluation* const kEvaluations[] = {&by_distance, &sum_by_distance};
  return kEvaluations;
}

}  // namespace weft::backends::reference::eval
