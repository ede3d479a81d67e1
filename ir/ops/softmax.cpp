// ir/ops/softmax.cpp -- inference of softmax and log_softmax; softmax's adjoint.
#include "ir/ops/softmax.h"

#include "ir/rewrite/builder.h"

namespace weft::ir::ops {

Types infer_softmax(const OpView& op) {
  const TensorType& x = op.operand(0);
  if (x.rank() == 0) op.fail("softmax.1", "needs an operand of rank 1 or more");
  if (op.axis() < 0 || op.axis() >= x.rank())
    op.fail("softmax.2", "axis must lie in [", -x.rank(), ", ", x.rank(), ")");
  if (!is_float(x.dtype)) op.fail("softmax.3", "needs a float operand, found ", name(x.dtype));
  return {x};
}

Types infer_softmax_grad(const OpView& op) {
  const TensorType& dy = op.operand(0);
  if (dy.rank() == 0 || op.axis() < 0 || op.axis() >= dy.rank())
    op.fail("softmax_grad.1", "axis must lie in [", -dy.rank(), ", ", dy.rank(), ")");
  if (!is_float(dy.dtype) || op.operand(1) != dy)
    op.fail("softmax_grad.2", "needs dy and y of one float type, found ", dy, " and ",
            op.operand(1));
  return {dy};
}

Graph expand_softmax_grad(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const Value along = b.sum(b.mul(e["dy"], e["y"]), {op.integer("axis")}, true);
  return e.finish({b.mul(e["y"], b.sub(e["dy"], along))});
}

}  // namespace weft::ir::ops
