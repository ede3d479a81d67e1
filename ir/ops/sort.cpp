// ir/ops/sort.cpp -- inference of sort.
#include "ir/ops/sort.h"

#include "ir/graph.h"

#include <limits>

namespace weft::ir::ops {

Types infer_sort(const OpView& op) {
  const TensorType& x = op.operand(0);
  if (x.dtype == DType::pred) op.fail("sort.1", "needs numbers, found pred");
  const int64_t axis = op.axis();
  if (axis < 0 || axis >= x.rank())
    op.fail("sort.2", "axis must lie in [", -x.rank(), ", ", x.rank(), ")");
  if (const auto n = x.dim(axis).constant(); n && *n > std::numeric_limits<int32_t>::max())
    op.fail("sort.3", "cannot count ", *n, " elements in s32 indices");
  return {x, {DType::s32, x.shape}};
}

}  // namespace weft::ir::ops
