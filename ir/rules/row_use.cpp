// ir/rules/row_use.cpp -- asking the rules of rows.
#include "ir/rules/row_use.h"

#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir {

bool Led::operator()(std::string_view name) const {
  return op.def().operand_index(name) >= 0 && op.has(name) &&
         operands[static_cast<size_t>(op.position(name))];
}

bool Led::only(Names names) const {
  for (size_t i = 0; i < operands.size(); ++i) {
    bool named = !operands[i];
    for (const std::string_view name : names)
      named |= op.def().operand_index(name) >= 0 && op.has(name) &&
               op.position(name) == static_cast<int>(i);
    if (!named) return false;
  }
  return true;
}

bool Led::all() const {
  return std::find(operands.begin(), operands.end(), false) == operands.end();
}

bool Led::same_rows(const TensorType& a, const TensorType& b) const {
  return a.rank() >= leading && b.rank() >= leading &&
         std::equal(a.shape.begin(), a.shape.begin() + leading, b.shape.begin());
}

bool Led::acts_behind() const {
  if (op.def().attr("axis") != nullptr) return op.axis() >= leading;
  const std::vector<int64_t> axes = op.axes();
  return std::all_of(axes.begin(), axes.end(), [&](int64_t axis) { return axis >= leading; });
}

bool Led::wants(std::string_view name) const {
  const Texts& wanted = op.texts("wanted");
  return std::find(wanted.begin(), wanted.end(), name) != wanted.end();
}

RowUse row_use(const OpView& op, const std::vector<bool>& led, int leading) {
  const OpRules& rules = rules_of(op.def());
  if (rules.rows == nullptr || std::find(led.begin(), led.end(), true) == led.end())
    return RowUse::mixed;
  return rules.rows({op, led, leading});
}

std::optional<std::vector<bool>> moved_results(const OpView& op, const std::vector<bool>& led,
                                               int leading) {
  const OpRules& rules = rules_of(op.def());
  if (rules.moved != nullptr && std::find(led.begin(), led.end(), true) != led.end())
    if (auto moved = rules.moved({op, led, leading})) return moved;
  const RowUse use = row_use(op, led, leading);
  if (use == RowUse::mixed || use == RowUse::both) return std::nullopt;
  return std::vector<bool>(op.node().results.size(), use == RowUse::row_wise);
}

bool is_uniform(const Graph& g, Value v) {
  const Node* p = g.producer(v);
  if (p == nullptr) return false;
  if (p->op == &ops::constant) return OpView(g, *p).reals("values").size() == 1;
  return (p->op == &ops::broadcast || p->op == &ops::reshape) && is_uniform(g, p->operands[0]);
}

bool is_zero_constant(const Graph& g, Value v) {
  const Node* p = g.producer(v);
  return p != nullptr && p->op == &ops::constant && OpView(g, *p).reals("values") == Reals{0.0};
}

bool keeps_zero(const OpView& op, int result, const std::vector<bool>& zero) {
  if (zero.empty()) return false;
  if (const auto rule = rules_of(op.def()).keeps_zero) return rule(op, result, zero);
  return op.def().zero_preserving && std::find(zero.begin(), zero.end(), false) == zero.end();
}

bool adds_nothing(const OpView& op, const std::vector<bool>& zero) {
  const auto rule = rules_of(op.def()).adds_nothing;
  return rule != nullptr && rule(op, zero);
}

}  // namespace weft::ir
