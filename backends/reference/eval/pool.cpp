// backends/reference/eval/pool.cpp -- what pooling and the adjoint of the mean compute.
#include "ir/ops/pool.h"

#include "backends/reference/eval/window.h"

#include <cmath>

namespace weft::backends::reference::eval {
namespace {

namespace ops = ir::ops;

Dims between(const Dims& dims) { return {dims.begin() + 1, dims.end() - 1}; }

// Calls f(index in y, index in x, element of the axes between) for all that a window sees.
template <typename F>
void for_each_pooled(const Call& call, const Dims& x, const Dims& y, F f) {
  const ops::Window window = ops::window_of(call.op, ops::pool_window(call.op));
  const Dims sizes = between(x), positions = between(y);
  const int64_t channels = x.back();
  for (int64_t b = 0; b < x[0]; ++b)
    for_each_in_windows(window, call.op.integers("window"), positions, sizes,
                        [&](int64_t o, int64_t, int64_t i) {
                          for (int64_t c = 0; c < channels; ++c)
                            f((b * ir::element_count(positions) + o) * channels + c,
                              (b * ir::element_count(sizes) + i) * channels + c, i);
                        });
}

// How many elements each window is the mean of, by index in y.
Floats counts(const Call& call, const Dims& x, const Dims& y) {
  double whole = 1;
  for (const int64_t n : call.op.integers("window")) whole *= static_cast<double>(n);
  if (call.op.flag("count_padding")) return filled<double>(y, whole);
  Floats n = filled<double>(y, 0);
  for_each_pooled(call, x, y, [&](int64_t o, int64_t, int64_t) { n.data()[o] += 1; });
  return n;
}

}  // namespace

const Evaluation max_pool{
    &ops::max_pool, std::function<Tensors(const Call&)>([](const Call& call) -> Tensors {
      const Floats& x = call.in[0].floats();
      Floats y = filled<double>(call.dims(), 0);
      Ints at = filled<int64_t>(call.dims(), -1);
      for_each_pooled(call, dims_of(x), dims_of(y), [&](int64_t o, int64_t i, int64_t element) {
        const double candidate = x.data()[i], best = y.data()[o];
        const bool greater = std::isnan(candidate) ? !std::isnan(best) : candidate > best;
        if (at.data()[o] >= 0 && !greater) return;
        y.data()[o] = candidate;
        at.data()[o] = element;
      });
      return call.op.flag("indices") ? Tensors{y, at} : Tensors{y};
    })};

const Evaluation avg_pool{&ops::avg_pool, [](const Call& call) -> Tensor {
                            const Floats& x = call.in[0].floats();
                            Floats y = filled<double>(call.dims(), 0);
                            for_each_pooled(
                                call, dims_of(x), dims_of(y),
                                [&](int64_t o, int64_t i, int64_t) { y.data()[o] += x.data()[i]; });
                            return Floats(y / counts(call, dims_of(x), dims_of(y)));
                          }};

const Evaluation avg_pool_grad{
    &ops::avg_pool_grad, [](const Call& call) -> Tensor {
      const Floats& dy = call.in[0].floats();
      Floats dx = filled<double>(call.dims(), 0);
      const Floats each = dy / counts(call, dims_of(dx), dims_of(dy));
      for_each_pooled(call, dims_of(dx), dims_of(dy),
                      [&](int64_t o, int64_t i, int64_t) { dx.data()[i] += each.data()[o]; });
      return dx;
    }};

std::span<const Evaluation* const> of_pool() {
  static const Evaluation* const kEvaluations[] = {&max_pool, &avg_pool, &avg_pool_grad};
  return kEvaluations;
}

}  // namespace weft::backends::reference::eval
