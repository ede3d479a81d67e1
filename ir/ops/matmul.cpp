// ir/ops/matmul.cpp -- inference of matmul; linear and its expansion.
#include "ir/ops/matmul.h"

#include "ir/ops/activation.h"
#include "ir/rewrite/builder.h"

namespace weft::ir::ops {

Types infer_matmul(const OpView& op) {
  const TensorType &a = op.operand(0), &b = op.operand(1);
  if (a.dtype != b.dtype || a.dtype == DType::pred)
    op.fail("matmul.1", "needs operands of one dtype, numbers, found ", name(a.dtype), " and ",
            name(b.dtype));
  if (a.rank() < 2 || b.rank() < 2)
    op.fail("matmul.2", "needs operands of rank 2 or more, found ", a.rank(), " and ", b.rank());
  const bool ta = op.flag("transpose_a"), tb = op.flag("transpose_b");
  const Dim &m = a.dim(ta ? -1 : -2), &k = a.dim(ta ? -2 : -1);
  const Dim &k2 = b.dim(tb ? -1 : -2), &n = b.dim(tb ? -2 : -1);
  if (k != k2) op.fail("matmul.3", "contracts ", k, " columns of a with ", k2, " rows of b");
  const int rank = std::max(a.rank(), b.rank());
  Shape shape;
  for (int axis = -rank; axis < -2; ++axis) {
    const Dim one = 1;
    const Dim &x = -axis <= a.rank() ? a.dim(axis) : one,
              &y = -axis <= b.rank() ? b.dim(axis) : one;
    if (x != y && !x.is(1) && !y.is(1))
      op.fail("matmul.4", "cannot broadcast leading axis ", axis, ": ", x, " against ", y);
    shape.push_back(x.is(1) ? y : x);
  }
  shape.push_back(m);
  shape.push_back(n);
  return {{product_dtype(a.dtype), shape}};
}

Types infer_linear(const OpView& op) {
  const TensorType &x = op.operand("x"), &w = op.operand("w");
  if (x.rank() < 1 || w.rank() != 2)
    op.fail("linear.1", "needs x of rank 1 or more and w of rank 2, found ", x.rank(), " and ",
            w.rank());
  if (x.dtype != w.dtype || !is_float(x.dtype))
    op.fail("linear.2", "needs float operands of one dtype");
  const bool t = op.flag("transpose_b");
  const Dim &k = w.dim(t ? 1 : 0), &n = w.dim(t ? 0 : 1);
  if (x.dim(-1) != k)
    op.fail("linear.3", "contracts ", x.dim(-1), " columns of x with ", k, " rows of w");
  TensorType y{product_dtype(x.dtype), x.shape};
  y.shape.back() = n;
  if (const TensorType bias{y.dtype, {n}}; op.has("bias") && op.operand("bias") != bias)
    op.fail("linear.4", "needs a bias of ", bias, ", found ", op.operand("bias"));
  if (!is_activation(op.text("activation")))
    op.fail("linear.5", "knows no activation '", op.text("activation"), "'");
  if (op.has("residual") && op.operand("residual") != y)
    op.fail("linear.6", "needs a residual of ", y, ", found ", op.operand("residual"));
  if (op.has("residual") && op.text("activation") != "none")
    op.fail("linear.7", "adds a residual only without an activation, found '",
            op.text("activation"), "'");
  if (op.flag("rounded") && y.dtype != DType::f32)
    op.fail("linear.8", "rounds sums of f32 to bf16, found ", name(y.dtype));
  if (op.flag("rounded")) y.dtype = DType::bf16;
  return {y};
}

Graph expand_linear(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const TensorType& x = op.operand("x");
  Value in = e["x"];
  if (x.rank() == 1) in = b.reshape(in, {1, x.dim(0)});
  Value y = b.matmul(in, e["w"], false, op.flag("transpose_b"));
  if (x.rank() == 1) y = b.reshape(y, op.result().shape);
  if (op.has("bias")) y = b.add(y, e["bias"]);
  if (op.has("residual")) y = b.add(y, e["residual"]);
  y = b.activation(op.text("activation"), y);
  return e.finish({op.flag("rounded") ? b.cast(y, DType::bf16) : y});
}

}  // namespace weft::ir::ops
