// backends/reference/eval/softmax.cpp -- what softmax and log_softmax compute.
#include "ir/ops/softmax.h"

#include "backends/reference/eval/table.h"

#include <xtensor/xmath.hpp>
#include <xtensor/xoperation.hpp>

#include <cmath>

namespace weft::backends::reference::eval {
namespace {

// x - max(x) along `axis`; -inf stays -inf in a lane that has nothing else.
Floats lowered(const Floats& x, int64_t axis) {
  const Floats top = xt::amax(x, {axis}, xt::keep_dims);
  return x - xt::where(xt::equal(top, -HUGE_VAL), 0.0, top);
}

}  // namespace

const Evaluation softmax{
    &ir::ops::softmax, [](const Call& call) -> Tensor {
      const Floats& x = call.in[0].floats();
      const int64_t axis = call.op.axis();
      if (x.size() == 0) return x;
      const Floats e = xt::exp(lowered(x, axis));
      const Floats sum = xt::sum(e, {axis}, xt::keep_dims);
      return Floats(
          e / xt::where(xt::equal(sum, 0.0), 1.0, sum));  // a lane of -inf gives zeros, not NaN
    }};

const Evaluation log_softmax{
    &ir::ops::log_softmax, [](const Call& call) -> Tensor {
      const Floats& x = call.in[0].floats();
      const int64_t axis = call.op.axis();
      if (x.size() == 0) return x;
      const Floats low = lowered(x, axis);
      const Floats sum = xt::sum(xt::exp(low), {axis}, xt::keep_dims);
      return Floats(low - xt::log(xt::where(xt::equal(sum, 0.0), 1.0, sum)));
    }};

std::span<const Evaluation* const> of_softmax() {
  static const Evaluation* const kEvaluations[] = {&softmax, &log_softmax};
  return kEvaluations;
}

}  // namespace weft::backends::reference::eval
