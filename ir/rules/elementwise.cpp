// ir/rules/elementwise.cpp -- elementwise ops: operands are aligned behind the steps axis.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {
namespace {

void axes(NodeAxes& n) { n.results = {n.broadcast(n.operands)}; }

Values batch(const Lift& lift, const Wants&) {
  const int rank = lift.op.result().rank();
  Values operands;
  for (size_t i = 0; i < lift.operands.size(); ++i)
    operands.push_back(lift.aligned(static_cast<int>(i), rank));
  return lift.emit(operands);
}

RowUse rows_of(const Led& led) {
  for (int i = 0; i < led.op.operand_count(); ++i)
    if (led[i] && (led.op.operand(i).rank() != led.op.result().rank() ||
                   !led.same_rows(led.op.operand(i), led.op.result())))
      return RowUse::mixed;
  return RowUse::row_wise;
}

bool chosen_zero(const OpView&, int, const Flags& zero) { return zero[2] && (zero[0] || zero[1]); }
bool both_zero(const OpView&, int, const Flags& zero) { return zero[0] && zero[1]; }

constexpr OpRules kAny{.op = nullptr,
                       .axes = axes,
                       .batching = {only_each, batch},
                       .rows = rows_of,
                       .cost = Cost::elementwise};

constexpr OpRules with(const OpDef& op, Range range,
                       bool (*keeps_zero)(const OpView&, int, const Flags&) = nullptr) {
  OpRules rules = kAny;
  rules.op = &op;
  rules.range = range;
  rules.keeps_zero = keeps_zero;
  return rules;
}

constexpr OpRules multiplying(const OpDef& op) {
  OpRules rules = with(op, Range::sums, either_zero);
  rules.bf16.saved = {"a", "b"};
  return rules;
}

constexpr OpRules moving(const OpDef& op) {
  OpRules rules = with(op, Range::moved);
  rules.cost = Cost::moves;
  return rules;
}

constexpr OpRules kRules[] = {
    moving(ops::cast),
    with(ops::cos, Range::bounded),
    with(ops::div, Range::sums, first_zero),
    with(ops::erf, Range::bounded),
    with(ops::exp, Range::bounded),
    with(ops::log, Range::poles),
    with(ops::log1p, Range::poles),
    with(ops::logical_and, Range::sums, either_zero),
    with(ops::logical_or, Range::sums, both_zero),
    multiplying(ops::mul),
    with(ops::pow, Range::poles),
    with(ops::remainder, Range::poles),
    with(ops::rsqrt, Range::poles),
    with(ops::select, Range::sums, chosen_zero),
    with(ops::sigmoid, Range::bounded),
    with(ops::sign, Range::bounded),
    with(ops::sin, Range::bounded),
    with(ops::sqrt, Range::poles),
    with(ops::tanh, Range::bounded),
};

}  // namespace

std::span<const OpRules> elementwise() { return kRules; }

const OpRules& any_elementwise() { return kAny; }

}  // namespace weft::ir::rules
