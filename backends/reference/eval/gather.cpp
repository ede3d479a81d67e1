// backends/reference/eval/gather.cpp -- what ops that index at run time compute.
#include "ir/ops/gather.h"

#include "backends/reference/eval/table.h"

#include <algorithm>

namespace weft::backends::reference::eval {
namespace {

namespace ops = ir::ops;

// The place of element i in row-major order: "[2,0]".
std::string place(int64_t i, Dims dims) {
  for (size_t d = dims.size(); d-- > 0;) {
    const int64_t size = dims[d];
    dims[d] = i % size;
    i /= size;
  }
  return ir::dims_str(dims);
}

// Calls f(row of x, row of y) for every slice of gather's result y, rows being counted in slices of
// `inner` elements: x[batch, middle, size, inner], indices[batch, places], y[batch, middle, places,
// inner].
template <typename F>
void for_each_slice(const Call& call, F f) {
  const Dims x = call.in[0].dims();
  const Ints& indices = call.in[1].ints();
  const int64_t axis = call.op.axis(), batch = call.op.integer("batch");
  const Split s(x, axis);
  int64_t batches = 1;
  for (int64_t d = 0; d < batch; ++d) batches *= x[static_cast<size_t>(d)];
  if (batches == 0) return;
  const int64_t middle = s.outer / batches, places = static_cast<int64_t>(indices.size()) / batches;
  for (int64_t b = 0; b < batches; ++b)
    for (int64_t p = 0; p < places; ++p) {
      const int64_t index = indices.data()[b * places + p];
      if (index < 0 || index >= s.size)
        call.op.fail(ir::concat(call.op.def().name, ".7"), "needs indices in [0, ", s.size,
                     "), found ", index, " at indices", place(b * places + p, dims_of(indices)));
      for (int64_t m = 0; m < middle; ++m)
        f((b * middle + m) * s.size + index, (b * middle + m) * places + p, s.inner);
    }
}

// A start that lets `size` elements fit.
int64_t clamped_start(const Call& call, const Tensor& start, int64_t size) {
  const int64_t room = call.in[0].dims()[static_cast<size_t>(call.op.axis())] - size;
  return std::clamp<int64_t>(start.scalar(), 0, room);
}

}  // namespace

const Evaluation gather{&ops::gather, [](const Call& call) -> Tensor {
                          return call.in[0].map([&](const auto& x) {
                            using T = typename std::decay_t<decltype(x)>::value_type;
                            Dense<T> y = filled<T>(call.dims(), 0);
                            for_each_slice(call, [&](int64_t from, int64_t to, int64_t inner) {
                              std::copy_n(x.data() + from * inner, inner, y.data() + to * inner);
                            });
                            return y;
                          });
                        }};

const Evaluation scatter_add{&ops::scatter_add, [](const Call& call) -> Tensor {
                               const auto added = [&](auto y, const auto& updates) {
                                 for_each_slice(call, [&](int64_t to, int64_t from, int64_t inner) {
                                   for (int64_t i = 0; i < inner; ++i)
                                     y.data()[to * inner + i] += updates.data()[from * inner + i];
                                 });
                                 return y;
                               };
                               const Tensor &x = call.in[0], &updates = call.in[2];
                               if (x.is_float()) return added(x.floats(), updates.floats());
                               const auto without_sign = [](const Ints& i) {
                                 return Dense<uint64_t>(xt::cast<uint64_t>(i));
                               };
                               const Dense<uint64_t> sums =
                                   added(without_sign(x.ints()), without_sign(updates.ints()));
                               return stored(Ints(xt::cast<int64_t>(sums)), call.dtype());
                             }};

const Evaluation dynamic_slice{
    &ops::dynamic_slice, [](const Call& call) -> Tensor {
      const int64_t size = call.size("size"), start = clamped_start(call, call.in[1], size);
      return call.in[0].map([&](const auto& x) { return window(x, call.op.axis(), start, size); });
    }};

const Evaluation update_slice{&ops::update_slice, [](const Call& call) -> Tensor {
                                const int64_t axis = call.op.axis();
                                const Tensor &x = call.in[0], &update = call.in[1];
                                const int64_t start = clamped_start(
                                    call, call.in[2], update.dims()[static_cast<size_t>(axis)]);
                                const auto written = [&](auto y, const auto& part) {
                                  write(y, axis, start, part);
                                  return y;
                                };
                                if (x.is_float()) return written(x.floats(), update.floats());
                                return written(x.ints(), update.ints());
                              }};

std::span<const Evaluation* const> of_gather() {
  static const Evaluation* const kEvaluations[] = {&gather, &scatter_add, &dynamic_slice,
                                                   &update_slice};
  return kEvaluations;
}

}  // namespace weft::backends::reference::eval
