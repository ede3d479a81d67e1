// ir/rules/norm.cpp -- norms over steps: the steps are more rows.
//
// The adjoints of scale and shift are sums over rows, so they come out summed over the steps.
#include "ir/rules/table.h"

namespace weft::ir::batching {
namespace {

bool vectors_shared(const OpView& op, const Flags& lifted) {
  for (const std::string_view name : {"scale", "shift"})
    if (op.def().operand_index(name) >= 0 && op.has(name) &&
        lifted[static_cast<size_t>(op.position(name))])
      return false;
  return true;
}

}  // namespace

bool can_norm(const OpView& op, const Flags& lifted, const Wants& wants) {
  return lifted[0] && vectors_shared(op, lifted) && only_each(op, lifted, wants);
}

bool can_norm_grad(const OpView& op, const Flags& lifted, const Wants& wants) {
  if (!vectors_shared(op, lifted)) return false;
  const Texts& wanted = op.texts("wanted");
  for (size_t i = 0; i < wanted.size(); ++i)
    if (wants[i] == (wanted[i] == "x" ? Want::sum : Want::each)) return false;
  return true;
}

Values norm_grad(const Lift& lift, const Wants& wants) {
  Values operands = lift.operands;
  for (const std::string_view name : {"dy", "x", "mean", "rstd"})
    if (lift.op.def().operand_index(name) >= 0)
      operands[static_cast<size_t>(lift.op.position(name))] = lift.each(lift.op.position(name));
  const Texts& names = lift.op.texts("wanted");
  Texts wanted;
  for (size_t i = 0; i < names.size(); ++i)
    if (wants[i] != Want::nothing) wanted.push_back(names[i]);
  Attrs attrs = lift.op.node().attrs;
  attrs.set("wanted", wanted);
  const Values made = lift.emit(operands, attrs);
  Values results(names.size());
  for (size_t i = 0, at = 0; i < names.size(); ++i)
    if (wants[i] != Want::nothing) results[i] = made[at++];
  return results;
}

}  // namespace weft::ir::batching
