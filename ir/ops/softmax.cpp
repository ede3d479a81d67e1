// ir/ops/softmax.cpp -- inference of softmax and log_softmax.
#include "ir/ops/softmax.h"

namespace weft::ir::ops {

Types infer_softmax(const OpView& op) {
  const TensorType& x = op.operand(0);
  if (x.rank() == 0) op.fail("softmax.1", "needs an operand of rank 1 or more");
  if (op.axis() < 0 || op.axis() >= x.rank())
    op.fail("softmax.2", "axis must lie in [", -x.rank(), ", ", x.rank(), ")");
  if (!is_float(x.dtype)) op.fail("softmax.3", "needs a float operand, found ", name(x.dtype));
  return {x};
}

}  // namespace weft::ir::ops
