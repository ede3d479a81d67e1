// autodiff/guard.cpp -- selects move outwards.
#include "autodiff/guard.h"

namespace weft::autodiff {
namespace {

namespace ops = ir::ops;

// Ops whose adjoint puts all elements into other places, conditions like numbers.
bool only_moves(const ir::OpDef& op) {
  return &op == &ops::reshape || &op == &ops::transpose || &op == &ops::reverse;
}

// Ops whose result has one element where the operand has a row along its last axis.
bool reduces_rows(const ir::OpView& op) {
  const ir::OpDef* def = &op.def();
  if (def == &ops::gather)
    return op.axis() == op.operand(0).rank() - 1 && op.integer("batch") == op.axis() &&
           op.operand(1).rank() == op.axis();
  return (def == &ops::sum || def == &ops::mean || def == &ops::max || def == &ops::min) &&
         op.integers("axes") == ir::Integers{-1} && !op.flag("keep");
}

// Is the condition the same all along the axis?
bool holds_along(const ir::TensorType& condition, const ir::OpView& op) {
  const int64_t from_end = op.operand(0).rank() - op.axis();
  return condition.rank() < from_end || condition.dim(-from_end).is(1);
}

// Is the adjoint zero, whatever else it is made of, wherever the condition leaves its cotangent zero?
bool passes(const ir::OpView& op, const ir::TensorType& condition) {
  if (op.def().elementwise) return true;
  if (&op.def() == &ops::softmax || &op.def() == &ops::log_softmax)
    return holds_along(condition, op);
  // A condition of fewer elements would have to be written out first.
  return (only_moves(op.def()) || reduces_rows(op)) && condition.shape == op.result().shape;
}

}  // namespace

Guarded Guards::reaches_through(const ir::OpView& op, const ir::Values& cotangents) const {
  if (cotangents.size() != 1) return {};
  const auto known = known_.find(cotangents[0]);
  if (known == known_.end()) return {};
  for (const auto& [condition, when] : known->second.conditions)
    if (!passes(op, builder_->type(condition))) return {};
  return known->second;
}

// The condition as the adjoint of the op's operand has it.
ir::Value Guards::behind(Vjp& vjp, const VjpRule& rule, ir::Value condition) {
  if (only_moves(vjp.op().def())) {
    vjp.set_cotangents({condition});
    return rule.adjoint(vjp)[0];
  }
  if (!reduces_rows(vjp.op())) return condition;
  const auto [column, is_new] = columns_.try_emplace(condition);
  if (is_new) {
    ir::Shape shape = builder_->type(condition).shape;
    shape.emplace_back(1);
    column->second = builder_->reshape(condition, shape);
  }
  return column->second;
}

ir::Value Guards::hand_on(Vjp& vjp, const VjpRule& rule, size_t i, ir::Value grad, Guarded guarded,
                          const ir::Values& cotangents) {
  if (&vjp.op().def() == &ops::select) {  // the rule has put its own select around what came in
    const ir::Value v = selected(grad, guarded);
    if (!guarded.any()) guarded.value = cotangents[0];
    guarded.conditions.emplace_back(vjp.operand(0), i == 1);
    known_.emplace(v, std::move(guarded));
    return v;
  }
  if (!guarded.any()) return grad;
  if (grad == guarded.value) return cotangents[0];
  guarded.value = grad;
  for (auto& [condition, when] : guarded.conditions) condition = behind(vjp, rule, condition);
  return put(guarded);
}

ir::Value Guards::sum(const ir::Values& contributions) {
  if (contributions.size() < 2) return contributions.empty() ? ir::Value{} : contributions[0];
  const auto first = known_.find(contributions[0]);
  bool alike = first != known_.end();
  for (const ir::Value d : contributions) {
    const auto known = known_.find(d);
    alike = alike && known != known_.end() && known->second.conditions == first->second.conditions;
  }
  ir::Value total;
  for (const ir::Value d : contributions) {
    const ir::Value term = alike ? known_.at(d).value : d;
    total = total.valid() ? builder_->add(total, term) : term;
  }
  return alike ? put({total, first->second.conditions}) : total;
}

ir::Value Guards::selected(ir::Value v, const Guarded& guarded) const {
  for (const auto& [condition, when] : guarded.conditions) {
    const ir::Value zero = builder_->scalar(0, builder_->type(v).dtype);
    v = when ? builder_->select(condition, v, zero) : builder_->select(condition, zero, v);
  }
  return v;
}

ir::Value Guards::put(const Guarded& guarded) {
  const ir::Value v = selected(guarded.value, guarded);
  known_.emplace(v, guarded);
  return v;
}

}  // namespace weft::autodiff
