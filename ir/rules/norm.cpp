// ir/rules/norm.cpp -- norms over steps: the steps are more rows.
//
// The adjoints of scale and shift are sums over rows, so they come out summed over the steps.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {
namespace {

bool vectors_shared(const OpView& op, const Flags& lifted) {
  for (const std::string_view name : {"scale", "shift"})
    if (op.def().operand_index(name) >= 0 && op.has(name) &&
        lifted[static_cast<size_t>(op.position(name))])
      return false;
  return true;
}

bool can_batch(const OpView& op, const Flags& lifted, const Wants& wants) {
  return lifted[0] && vectors_shared(op, lifted) && only_each(op, lifted, wants);
}

bool can_batch_grad(const OpView& op, const Flags& lifted, const Wants& wants) {
  if (!vectors_shared(op, lifted)) return false;
  const Texts& wanted = op.texts("wanted");
  for (size_t i = 0; i < wanted.size(); ++i)
    if (wants[i] == (wanted[i] == "x" ? Want::sum : Want::each)) return false;
  return true;
}

Values batch_grad(const Lift& lift, const Wants& wants) {
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

RowUse rows_of(const Led& led) {
  return led("x") && led.only({"x"}) && led.op.operand("x").rank() > led.leading ? RowUse::row_wise
                                                                                 : RowUse::mixed;
}

// The adjoint of x is by rows, those of scale and shift are sums.
RowUse rows_of_grad(const Led& led) {
  if (!led("dy") || !led("x")) return RowUse::mixed;
  if (!led.wants("x")) return RowUse::summed;
  return led.op.operand("x").rank() > led.leading && led.op.texts("wanted") == Texts{"x"} &&
                 led.only({"dy", "x", "mean", "rstd"})
             ? RowUse::row_wise
             : RowUse::mixed;
}
std::optional<Flags> moved_grad(const Led& led) {
  if (!led("dy") || !led("x") || !led.only({"dy", "x", "mean", "rstd"}) ||
      led.op.operand("x").rank() <= led.leading)
    return std::nullopt;
  Flags rows;
  for (const std::string& name : led.op.texts("wanted")) rows.push_back(name == "x");
  return rows;
}

constexpr OpRules adjoint(const OpDef* op, const char* signature) {
  return {.op = op,
          .signature = signature,
          .batching = {can_batch_grad, batch_grad},
          .rows = rows_of_grad,
          .moved = moved_grad,
          .keeps_zero = first_zero,
          .adds_nothing = first_adds_nothing,
          .range = Range::adjoint,
          .bf16 = {.saved = {"x"}}};
}

constexpr OpRules kRules[] = {
    {.op = &ops::layer_norm,
     .signature = "x:*d scale:d shift:d -> *d * *",
     .batching = {can_batch, same_node},
     .rows = rows_of,
     .cost = Cost::norm,
     .range = Range::norm},
    adjoint(&ops::layer_norm_grad, "dy:*d x:*d mean:* rstd:* scale:d shift:d -> wanted"),
    {.op = &ops::rms_norm,
     .signature = "x:*d scale:d -> *d *",
     .batching = {can_batch, same_node},
     .rows = rows_of,
     .keeps_zero = first_zero,
     .cost = Cost::norm,
     .range = Range::norm},
    adjoint(&ops::rms_norm_grad, "dy:*d x:*d rstd:* scale:d -> wanted"),
};

}  // namespace

std::span<const OpRules> norm() { return kRules; }

}  // namespace weft::ir::rules
