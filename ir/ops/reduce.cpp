// ir/ops/reduce.cpp -- inference of reductions.
#include "ir/ops/reduce.h"

#include "ir/graph.h"

#include <algorithm>

namespace weft::ir::ops {

Types infer_reduce(const OpView& op) {
  const TensorType& x = op.operand(0);
  if (x.dtype == DType::pred) op.fail("reduce.1", "needs numbers, found pred");
  std::vector<int64_t> axes = op.axes();
  std::sort(axes.begin(), axes.end());
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] < 0 || axes[i] >= x.rank())
      op.fail("reduce.2", "axes must lie in [", -x.rank(), ", ", x.rank(), ")");
    if (i > 0 && axes[i] == axes[i - 1]) op.fail("reduce.3", "names axis ", axes[i], " twice");
  }
  if (op.def().name == "mean" && !is_float(x.dtype)) op.fail("reduce.4", "needs a float operand");
  Shape shape;
  for (int64_t d = 0; d < x.rank(); ++d) {
    const bool reduced = std::binary_search(axes.begin(), axes.end(), d);
    if (!reduced)
      shape.push_back(x.dim(d));
    else if (op.flag("keep"))
      shape.emplace_back(1);
  }
  return {{x.dtype, shape}};
}

Types infer_along(const OpView& op) {
  const TensorType& x = op.operand(0);
  const std::string_view label = op.def().name;
  if (x.dtype == DType::pred) op.fail(ir::concat(label, ".1"), "needs numbers, found pred");
  if (op.axis() < 0 || op.axis() >= x.rank())
    op.fail(ir::concat(label, ".2"), "axis must lie in [", -x.rank(), ", ", x.rank(), ")");
  return {x};
}

Types infer_linear_recurrence(const OpView& op) {
  const TensorType &a = op.operand(0), &b = op.operand(1);
  if (!is_float(a.dtype)) op.fail("linear_recurrence.1", "needs floats, found ", a);
  if (a != b) op.fail("linear_recurrence.3", "needs a and b of one type, found ", a, " and ", b);
  return infer_along(op);
}

Types infer_arg_max(const OpView& op) {
  const TensorType& x = op.operand(0);
  if (op.axis() < 0 || op.axis() >= x.rank())
    op.fail("arg_max.1", "axis must lie in [", -x.rank(), ", ", x.rank(), ")");
  if (x.dim(op.axis()).is(0)) op.fail("arg_max.2", "needs at least one element along the axis");
  Shape shape = x.shape;
  shape.erase(shape.begin() + op.axis());
  return {{DType::s32, shape}};
}

}  // namespace weft::ir::ops
