// ir/rules/sort.cpp -- elements along an axis in order.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

namespace weft::ir::rules {
namespace {

void axes(NodeAxes& n) { n.results = {n.operands[0], n.operands[0]}; }

constexpr OpRules kRules[] = {
    {.op = &ops::sort,
     .axes = axes,
     .batching = {only_each, same_node},
     .rows = along_inner_axes,
     .cost = Cost::rows,
     .range = Range::moved},
};

}  // namespace

std::span<const OpRules> sort() { return kRules; }

}  // namespace weft::ir::rules
