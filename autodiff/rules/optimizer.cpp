// autodiff/rules/optimizer.cpp -- updates are not differentiated; the gradient norm is.
#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;

// y = sum of squares   =>   dx = 2 dy x
const VjpRule squared_norm{&ops::squared_norm, [](Vjp& g) -> Grads {
                             Grads grads;
                             for (int i = 0; i < g.op().operand_count(); ++i)
                               grads.push_back(2 * g.cotangent() * g.operand(i));
                             return grads;
                           }};

const VjpRule adadelta_update = not_differentiable(ops::adadelta_update),
              adafactor_update = not_differentiable(ops::adafactor_update),
              adagrad_update = not_differentiable(ops::adagrad_update),
              adam_update = not_differentiable(ops::adam_update),
              lion_update = not_differentiable(ops::lion_update),
              moving_average = not_differentiable(ops::moving_average),
              sgd_update = not_differentiable(ops::sgd_update);

std::span<const VjpRule* const> of_optimizer() {
  static const VjpRule* const kRules[] = {&squared_norm,   &adadelta_update, &adafactor_update,
                                          &adagrad_update, &adam_update,     &lion_update,
                                          &moving_average, &sgd_update};
  return kRules;
}

}  // namespace weft::autodiff::rules
