// ir/rules/convolution.cpp -- convolutions for all steps at once: the steps are more batch.
//
// A weight's adjoint is a sum over the batch, so it comes out summed over the steps. Where weights
// themselves differ from step to step the convolution stays in the loop.
#include "ir/rules/table.h"

namespace weft::ir::batching {
namespace {

Value as_batch(const Lift& lift, int i) {
  const Value v = lift.operands[static_cast<size_t>(i)];
  Shape shape = lift.builder.type(v).shape;
  shape[1] = shape[0] * shape[1];
  shape.erase(shape.begin());
  return lift.builder.reshape(v, shape);
}

}  // namespace

bool can_conv(const OpView& op, const Flags& lifted, const Wants& wants) {
  return only_first_lifted(op, lifted, wants);
}

// Of x, or of dy: what has a batch is operand 0.
Values conv(const Lift& lift, const Wants&) {
  Values operands = lift.operands;
  operands[0] = as_batch(lift, 0);
  Shape shape = lift.op.result().shape;
  shape.insert(shape.begin(), lift.steps);
  return {lift.builder.reshape(lift.emit(operands)[0], shape)};
}

bool can_conv_weight_grad(const OpView&, const Flags& lifted, const Wants& wants) {
  return wants[0] == Want::sum && lifted[0] && lifted[1];
}

Values conv_weight_grad(const Lift& lift, const Wants&) {
  return lift.emit({as_batch(lift, 0), as_batch(lift, 1)});
}

}  // namespace weft::ir::batching
