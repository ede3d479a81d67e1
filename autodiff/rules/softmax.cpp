// autodiff/rules/softmax.cpp -- derivatives of softmax and log_softmax.
//
// Written in y, not x: the forward result is kept, the scores are not, and what stood behind a mask
// is not looked at again.
#include "autodiff/rules/table.h"

#include <cmath>

namespace weft::autodiff::rules {

// y = softmax(x)   =>   dx = y * (dy - sum(dy * y, axis)); 0 where y is, so also in a lane of -inf
const VjpRule softmax{
    &ir::ops::softmax, [](Vjp& g) -> Grads {
      return {g.builder.emit(ir::ops::softmax_grad, {{g.cotangent()}, {g.result()}},
                             {{"axis", g.op().integer("axis")}})};
    }};
const VjpRule softmax_grad = through_expansion(ir::ops::softmax_grad);

// y = log(softmax(x))   =>   dx = dy - exp(y) * sum(dy, axis); 0 in a lane that is -inf throughout
const VjpRule log_softmax{
    &ir::ops::log_softmax, [](Vjp& g) -> Grads {
      const int64_t axis = g.op().axis();
      const Expr y = g.result(), dy = g.cotangent();
      const Expr empty = autodiff::equal(y.with(g.builder.max(y, {axis}, true)), -HUGE_VAL);
      return {autodiff::select(empty, 0, dy - autodiff::exp(y) * sum_keep(dy, axis))};
    }};

std::span<const VjpRule* const> of_softmax() {
  static const VjpRule* const kRules[] = {&softmax, &softmax_grad, &log_softmax};
  return kRules;
}

}  // namespace weft::autodiff::rules
