// ir/ops/top_k.cpp -- inference of top_k, and what its fused form means.
#include "ir/ops/top_k.h"

#include "ir/rewrite/builder.h"

namespace weft::ir::ops {

Types infer_top_k(const OpView& op) {
  const TensorType& x = op.operand(0);
  const std::string label(op.def().name);
  if (x.rank() < 1 || x.dtype == DType::pred)
    op.fail(label + ".1", "needs numbers of rank 1 or more, found ", x);
  const Dim& k = op.dim("k");
  if (const auto count = k.constant(); count && *count < 1)
    op.fail(label + ".2", "needs k of 1 or more, found ", k);
  if (const auto excess = (k - x.dim(-1)).constant(); excess && *excess > 0)
    op.fail(label + ".3", "takes ", k, " of ", x.dim(-1), " elements");
  Shape shape = x.shape;
  shape.back() = k;
  return {{x.dtype, shape}, {DType::s32, shape}};
}

Types infer_log_softmax_top_k(const OpView& op) {
  if (!is_float(op.operand(0).dtype))
    op.fail("log_softmax_top_k.4", "needs floats, found ", op.operand(0));
  return infer_top_k(op);
}

Graph expand_log_softmax_top_k(const OpView& op) {
  Expansion e(op);
  return e.finish(
      e.builder.emit_all(top_k, {{e.builder.log_softmax(e["x"])}}, {{"k", op.dim("k")}}));
}

}  // namespace weft::ir::ops
