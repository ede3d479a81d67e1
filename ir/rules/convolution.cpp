// ir/rules/convolution.cpp -- convolutions for all steps at once: the steps are more batch.
//
// A weight's adjoint is a sum over the batch, so it comes out summed over the steps. Where weights
// themselves differ from step to step the convolution stays in the loop.
#include "ir/rules/table.h"

namespace weft::ir::batching {

Value with_steps_in_batch(const Lift& lift, Value v) {
  Shape shape = lift.builder.type(v).shape;
  shape[1] = shape[0] * shape[1];
  shape.erase(shape.begin());
  return lift.builder.reshape(v, shape);
}

Values with_steps_in_front(const Lift& lift, const Values& made) {
  Values results;
  for (size_t i = 0; i < made.size(); ++i) {
    Shape shape = lift.op.result(static_cast<int>(i)).shape;
    shape.insert(shape.begin(), lift.steps);
    results.push_back(lift.builder.reshape(made[i], shape));
  }
  return results;
}

bool can_conv(const OpView& op, const Flags& lifted, const Wants& wants) {
  return only_first_lifted(op, lifted, wants);
}

// Of x, or of dy: what has a batch is operand 0.
Values conv(const Lift& lift, const Wants&) {
  Values operands = lift.operands;
  operands[0] = with_steps_in_batch(lift, operands[0]);
  return with_steps_in_front(lift, lift.emit(operands));
}

bool can_conv_weight_grad(const OpView&, const Flags& lifted, const Wants& wants) {
  return wants[0] == Want::sum && lifted[0] && lifted[1];
}

Values conv_weight_grad(const Lift& lift, const Wants&) {
  return lift.emit(
      {with_steps_in_batch(lift, lift.operands[0]), with_steps_in_batch(lift, lift.operands[1])});
}

}  // namespace weft::ir::batching
