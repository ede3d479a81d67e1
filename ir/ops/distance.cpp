// ir/ops/distance.cpp -- inference of values by distance.
#include "ir/ops/distance.h"

#include "ir/graph.h"

namespace weft::ir::ops {

Types infer_by_distance(const OpView& op) {
  const TensorType& x = op.operand(0);
  const Dim& queries = op.dim("queries");
  if (x.rank() == 0) op.fail("by_distance.1", "needs an operand of rank 1 or more");
  const Dim keys = x.dim(-1) - queries + 1;
  if (const auto n = queries.constant(); n && *n < 1)
    op.fail("by_distance.2", "needs 1 query or more, found ", queries);
  if (const auto n = keys.constant(); n && *n < 0)
    op.fail("by_distance.3", "has ", x.dim(-1), " distances, needs ", queries - 1, " or more for ",
            queries, " queries");
  Shape shape = x.shape;
  shape.back() = queries;
  shape.push_back(keys);
  return {{x.dtype, shape}};
}

Types infer_sum_by_distance(const OpView& op) {
  const TensorType& y = op.operand(0);
  if (y.rank() < 2) op.fail("sum_by_distance.1", "needs an operand of rank 2 or more, found ", y);
  if (!is_float(y.dtype)) op.fail("sum_by_distance.2", "needs floats, found ", y);
  Shape shape = y.shape;
  shape.pop_back();
  shape.back() = y.dim(-2) + y.dim(-1) - 1;
  return {{y.dtype, shape}};
}

}  // namespace weft::ir::ops
