// ir/rules/reduce.cpp -- a sum that is itself summed over the steps takes them as one more axis.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {
namespace {

bool can_batch_sum(const OpView&, const Flags&, const Wants&) { return true; }

Values batch_sum(const Lift& lift, const Wants& wants) {
  if (wants[0] == Want::each) return lift.emit(lift.operands);
  Integers axes{0};
  for (const int64_t a : lift.op.axes()) axes.push_back(a + 1);
  const Value total = lift.builder.sum(lift.operands[0], axes);
  return {lift.builder.reshape(total, lift.op.result().shape)};  // puts back kept axes
}

void axes(NodeAxes& n) {
  const std::vector<int64_t> axes = n.op.axes();
  AxisList result;
  for (size_t d = 0; d < n.operands[0].size(); ++d)
    if (std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) == axes.end())
      result.push_back(n.operands[0][d]);
    else if (n.op.flag("keep"))
      result.push_back(n.solver.fixed(1));
  n.results = {result};
}

// Over axes behind the rows, or over all rows.
RowUse rows_of_sum(const Led& led) {
  const std::vector<int64_t> axes = led.op.axes();
  for (int64_t axis = 0; axis < led.leading; ++axis)
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) return along_inner_axes(led);
  return RowUse::summed;
}

constexpr OpRules reduction(const OpDef& op, Range range) {
  return {.op = &op,
          .axes = axes,
          .batching = {only_each, same_node},
          .rows = along_inner_axes,
          .cost = Cost::rows,
          .range = range};
}

constexpr OpRules kRules[] = {
    {.op = &ops::arg_max,
     .axes = without_axis,
     .batching = {only_each, same_node},
     .rows = along_inner_axes,
     .cost = Cost::rows},
    {.op = &ops::cumprod,
     .axes = as_first,
     .batching = {only_each, same_node},
     .rows = along_inner_axes,
     .cost = Cost::rows},
    {.op = &ops::linear_recurrence,
     .axes = all_alike,
     .batching = {only_each, same_node_all_lifted},
     .rows = along_inner_axes,
     .cost = Cost::rows},
    {.op = &ops::cumsum,
     .axes = as_first,
     .batching = {only_each, same_node},
     .rows = along_inner_axes,
     .cost = Cost::rows},
    reduction(ops::max, Range::moved),
    reduction(ops::mean, Range::sums),
    reduction(ops::min, Range::moved),
    reduction(ops::prod, Range::sums),
    {.op = &ops::sum,
     .axes = axes,
     .batching = {can_batch_sum, batch_sum},
     .rows = rows_of_sum,
     .adds_nothing = first_adds_nothing,
     .cost = Cost::rows,
     .bf16 = {.saved = {"x"}}},
};

}  // namespace

std::span<const OpRules> reduce() { return kRules; }

}  // namespace weft::ir::rules
