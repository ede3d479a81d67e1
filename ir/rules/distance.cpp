// ir/rules/distance.cpp -- values by distance: all axes but the last ones stay.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

namespace weft::ir::rules {
namespace {

void axes(NodeAxes& n) {
  AxisSolver& s = n.solver;
  AxisList result = n.operands[0];
  const Axis distances = result.back(), queries = n.new_dim("queries");
  result.back() = queries;
  result.push_back(s.made(s.term(distances) - s.term(queries) + Dim(1), n.op.result().dim(-1)));
  n.results = {result};
}

void axes_of_sum(NodeAxes& n) {
  AxisSolver& s = n.solver;
  AxisList result = n.operands[0];
  const Axis keys = result.back();
  result.pop_back();
  result.back() = s.made(s.term(result.back()) + s.term(keys) - Dim(1), n.op.result().dim(-1));
  n.results = {result};
}

// The leading axes count the rows.
RowUse rows(const Led& led) {
  return led.leading < led.op.operand(0).rank() && led.leading < led.op.result().rank()
             ? RowUse::row_wise
             : RowUse::mixed;
}

constexpr OpRules kRules[] = {
    {.op = &ops::by_distance,
     .axes = axes,
     .batching = {only_each, same_node},
     .rows = rows,
     .cost = Cost::moves,
     .range = Range::moved},
    {.op = &ops::sum_by_distance,
     .axes = axes_of_sum,
     .batching = {only_each, same_node},
     .rows = rows,
     .cost = Cost::rows},
};

}  // namespace

std::span<const OpRules> distance() { return kRules; }

}  // namespace weft::ir::rules
