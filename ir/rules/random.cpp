// ir/rules/random.cpp -- random numbers of all steps at once: their positions are one more axis.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {
namespace {

bool can_batch(const OpView& op, const Flags& lifted, const Wants& wants) {
  return only_each(op, lifted, wants) && !lifted[0] && !lifted[1] && op.has("position") &&
         lifted[2];
}

void axes(NodeAxes& n) {
  AxisList result;
  if (n.has("position")) result = n.operand("position");
  result.push_back(n.operand("rows")[0]);
  const AxisList inner = n.new_shape("inner");
  result.insert(result.end(), inner.begin(), inner.end());
  n.results = {result};
}

// Rows have their own numbers.
RowUse rows_of(const Led& led) {
  const bool one_position = !led.op.has("position") || led.op.operand("position").rank() == 0;
  return led.leading == 1 && led.only({"rows"}) && one_position ? RowUse::row_wise : RowUse::mixed;
}

constexpr OpRules kRules[] = {
    {.op = &ops::random,
     .axes = axes,
     .batching = {can_batch, same_node},
     .rows = rows_of,
     .cost = Cost::draws},
};

}  // namespace

std::span<const OpRules> random() { return kRules; }

}  // namespace weft::ir::rules
