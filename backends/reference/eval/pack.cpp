// backends/reference/eval/pack.cpp -- what moving real rows together and back computes.
#include "ir/ops/pack.h"

#include "backends/reference/eval/table.h"

#include <algorithm>
#include <numeric>

namespace weft::backends::reference::eval {
namespace {

// f(place of a real row among steps * batch, its number), in order.
template <typename F>
void for_each_real_row(const Call& call, int64_t steps, F f) {
  const Ints& lengths = call.in[1].ints();
  const auto batch = static_cast<int64_t>(lengths.size());
  std::vector<int64_t> places(static_cast<size_t>(batch));
  std::iota(places.begin(), places.end(), 0);
  if (call.op.has("places")) {
    const Ints& given = call.in[2].ints();
    std::copy(given.begin(), given.end(), places.begin());
    for (int64_t b = 0; b < batch; ++b)
      if (const int64_t at = given.data()[b]; at < 0 || at >= batch)
        call.op.fail(ir::concat(call.op.def().name, ".4"), "needs places in [0, ", batch,
                     "), found ", at, " at places[", b, "]");
  }
  int64_t row = 0;
  if (call.op.flag("by_sequence")) {
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t t = 0; t < steps && t < lengths.data()[b]; ++t)
        f(places[static_cast<size_t>(b)] * steps + t, row++);
    return;
  }
  for (int64_t t = 0; t < steps; ++t)
    for (int64_t b = 0; b < batch; ++b)
      if (t < lengths.data()[b]) f(t * batch + places[static_cast<size_t>(b)], row++);
}

// y of zeros, its row `to` being x's row `from` for all (from, to) that `pairs` goes through.
template <typename Pairs>
Tensor moved(const Call& call, int64_t rows, Pairs pairs) {
  return call.in[0].map([&](const auto& x) {
    using T = typename std::decay_t<decltype(x)>::value_type;
    Dense<T> y = filled<T>(call.dims(), 0);
    const int64_t inner = rows == 0 ? 0 : static_cast<int64_t>(x.size()) / rows;
    pairs([&](int64_t from, int64_t to) {
      std::copy_n(x.data() + from * inner, inner, y.data() + to * inner);
    });
    return y;
  });
}

}  // namespace

const Evaluation pack{&ir::ops::pack, [](const Call& call) -> Tensor {
                        const Dims x = call.in[0].dims();
                        const int64_t steps = x[call.op.flag("by_sequence") ? 1 : 0];
                        return moved(call, x[0] * x[1],
                                     [&](auto move) { for_each_real_row(call, steps, move); });
                      }};

const Evaluation unpack{&ir::ops::unpack, [](const Call& call) -> Tensor {
                          return moved(call, call.in[0].dims()[0], [&](auto move) {
                            for_each_real_row(
                                call, call.size("steps"),
                                [&](int64_t place, int64_t row) { move(row, place); });
                          });
                        }};

const Evaluation length_order{
    &ir::ops::length_order, [](const Call& call) -> Tensors {
      const Ints& lengths = call.in[0].ints();
      Ints order = filled<int64_t>(call.dims(), 0), places = order;
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.data(), order.data() + order.size(),
                       [&](int64_t a, int64_t b) { return lengths.data()[a] > lengths.data()[b]; });
      for (int64_t i = 0; i < static_cast<int64_t>(order.size()); ++i)
        places.data()[order.data()[i]] = i;
      return {order, places};
    }};

std::span<const Evaluation* const> of_pack() {
  static const Evaluation* const kEvaluations[] = {&pack, &unpack, &length_order};
  return kEvaluations;
}

}  // namespace weft::backends::reference::eval
