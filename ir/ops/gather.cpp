// ir/ops/gather.cpp -- inference of ops that index at run time.
#include "ir/ops/gather.h"

#include "ir/graph.h"

namespace weft::ir::ops {
namespace {

int64_t checked_axis(const OpView& op) {
  const int64_t axis = op.axis();
  const int rank = op.operand(0).rank();
  if (axis < 0 || axis >= rank)
    op.fail(ir::concat(op.def().name, ".1"), "axis must lie in [", -rank, ", ", rank, ")");
  return axis;
}

TensorType gathered(const OpView& op) {
  const TensorType &x = op.operand(0), &indices = op.operand(1);
  const std::string label(op.def().name);
  const int64_t axis = checked_axis(op), batch = op.integer("batch");
  if (!is_integer(indices.dtype))
    op.fail(label + ".2", "needs integer indices, found ", name(indices.dtype));
  if (batch < 0 || batch > axis || batch > indices.rank())
    op.fail(label + ".3", "batch must lie in [0, ", std::min<int64_t>(axis, indices.rank()),
            "], found ", batch);
  for (int64_t d = 0; d < batch; ++d)
    if (x.dim(d) != indices.dim(d))
      op.fail(label + ".4", "batch axis ", d, " has ", x.dim(d), " rows of x and ", indices.dim(d),
              " of indices");
  Shape shape(x.shape.begin(), x.shape.begin() + axis);
  shape.insert(shape.end(), indices.shape.begin() + batch, indices.shape.end());
  shape.insert(shape.end(), x.shape.begin() + axis + 1, x.shape.end());
  return {x.dtype, shape};
}

void check_start(const OpView& op, int operand) {
  const TensorType& start = op.operand(operand);
  if (!is_integer(start.dtype) || start.rank() != 0)
    op.fail(ir::concat(op.def().name, ".2"), "needs an integer scalar start, found ", start);
}

}  // namespace

Types infer_gather(const OpView& op) { return {gathered(op)}; }

Types infer_scatter_add(const OpView& op) {
  const TensorType want = gathered(op);
  if (!is_float(want.dtype) && want.dtype != DType::s32 && want.dtype != DType::s64)
    op.fail("scatter_add.6", "cannot add up ", name(want.dtype));
  if (op.operand(2) != want)
    op.fail("scatter_add.5", "needs updates of ", want, ", found ", op.operand(2));
  return {op.operand(0)};
}

Types infer_dynamic_slice(const OpView& op) {
  TensorType type = op.operand(0);
  const int64_t axis = checked_axis(op);
  check_start(op, 1);
  const auto excess = (op.dim("size") - type.dim(axis)).constant();
  if (excess && *excess > 0)
    op.fail("dynamic_slice.3", "takes ", op.dim("size"), " of ", type.dim(axis), " elements");
  type.shape[static_cast<size_t>(axis)] = op.dim("size");
  return {type};
}

Types infer_update_slice(const OpView& op) {
  const TensorType &x = op.operand(0), &update = op.operand(1);
  const int64_t axis = checked_axis(op);
  check_start(op, 2);
  if (update.dtype != x.dtype || update.rank() != x.rank())
    op.fail("update_slice.3", "needs an update of x's dtype and rank, found ", update);
  for (int64_t d = 0; d < x.rank(); ++d)
    if (d != axis && update.dim(d) != x.dim(d))
      op.fail("update_slice.4", "needs equal sizes off its axis, found ", x.dim(d), " and ",
              update.dim(d));
  const auto excess = (update.dim(axis) - x.dim(axis)).constant();
  if (excess && *excess > 0)
    op.fail("update_slice.5", "writes ", update.dim(axis), " elements over ", x.dim(axis));
  return {x};
}

}  // namespace weft::ir::ops
