// ir/rules/pack.cpp -- rows put side by side.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {
namespace {

void pack(NodeAxes& n) {
  AxisSolver& s = n.solver;
  const AxisList& x = n.operands[0];
  s.same(x[n.op.flag("by_sequence") ? 0 : 1], n.operand("lengths")[0]);
  if (n.has("places")) s.same(n.operand("places"), n.operand("lengths"));
  AxisList result{s.made(s.term(x[0]) * s.term(x[1]), s.size(x[0]) * s.size(x[1]))};
  result.insert(result.end(), x.begin() + 2, x.end());
  n.results = {result};
}

void unpack(NodeAxes& n) {
  AxisSolver& s = n.solver;
  const AxisList& p = n.operands[0];
  const Axis batch = n.operand("lengths")[0], steps = n.new_dim("steps");
  if (n.has("places")) s.same(n.operand("places"), n.operand("lengths"));
  s.same(p[0], s.made(s.term(batch) * s.term(steps), s.size(batch) * s.size(steps)));
  AxisList result{steps, batch};
  if (n.op.flag("by_sequence")) std::swap(result[0], result[1]);
  result.insert(result.end(), p.begin() + 1, p.end());
  n.results = {result};
}

constexpr OpRules kRules[] = {
    {.op = &ops::length_order,
     .signature = "lengths:b -> b b",
     .stays_whole = "says in which order rows stand"},
    {.op = &ops::pack,
     .axes = pack,
     .stays_whole = "makes packed rows of others",
     .cost = Cost::copies,
     .range = Range::moved,
     .moves = Moves::first},
    {.op = &ops::unpack,
     .axes = unpack,
     .stays_whole = "makes others of packed rows",
     .range = Range::moved,
     .moves = Moves::first},
};

}  // namespace

std::span<const OpRules> pack() { return kRules; }

}  // namespace weft::ir::rules
