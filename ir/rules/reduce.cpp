// ir/rules/reduce.cpp -- a sum that is itself summed over the steps takes them as one more axis.
#include "ir/rules/table.h"

namespace weft::ir::batching {

bool can_sum(const OpView&, const Flags&, const Wants&) { return true; }

Values sum(const Lift& lift, const Wants& wants) {
  if (wants[0] == Want::each) return lift.emit(lift.operands);
  Integers axes{0};
  for (const int64_t a : lift.op.axes()) axes.push_back(a + 1);
  const Value total = lift.builder.sum(lift.operands[0], axes);
  return {lift.builder.reshape(total, lift.op.result().shape)};  // puts back kept axes
}

}  // namespace weft::ir::batching
