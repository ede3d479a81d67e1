// ir/rules/gather.cpp -- look-ups for all steps at once.
//
// x shared by the steps and indices lifted: with axis 0 the steps come out in front by themselves.
// x lifted: the steps are one more leading axis of it, and a batch axis if the indices are lifted
// too.
#include "ir/rules/table.h"

namespace weft::ir::batching {
namespace {

bool plain(const OpView& op) { return op.axis() == 0 && op.integer("batch") == 0; }

Attrs one_more_batch_axis(const Lift& lift) {
  Attrs attrs = lift.op.node().attrs;
  attrs.set("batch", lift.op.integer("batch") + 1);
  return attrs;
}

bool is_zero(const OpView& op, int operand) {
  const Node* p = op.graph().producer(op.node().operands[static_cast<size_t>(operand)]);
  return p != nullptr && p->op == &ops::constant &&
         OpView(op.graph(), *p).reals("values") == Reals{0.0};
}

}  // namespace

bool can_gather(const OpView& op, const Flags& lifted, const Wants& wants) {
  if (!only_each(op, lifted, wants)) return false;
  if (!lifted[0]) return plain(op);
  return lifted[1] || op.integer("batch") == 0;
}

Values gather(const Lift& lift, const Wants&) {
  if (lift.lifted[0] && lift.lifted[1]) return lift.emit(lift.operands, one_more_batch_axis(lift));
  return lift.emit(lift.operands);
}

// Summed, starting from zeros: the steps are one more axis of indices and updates.
bool can_scatter_add(const OpView& op, const Flags& lifted, const Wants& wants) {
  if (wants[0] == Want::sum)
    return plain(op) && lifted[1] && lifted[2] && !lifted[0] && is_zero(op, 0);
  return true;
}

Values scatter_add(const Lift& lift, const Wants& wants) {
  if (wants[0] == Want::sum) return lift.emit(lift.operands);
  return lift.emit({lift.each(0), lift.each(1), lift.each(2)}, one_more_batch_axis(lift));
}

}  // namespace weft::ir::batching
