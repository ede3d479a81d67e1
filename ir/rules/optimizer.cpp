// ir/rules/optimizer.cpp -- parameters, which have no rows.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {
namespace {

// p, g and states go together; results are p and the states.
void update(NodeAxes& n) {
  const auto count = static_cast<size_t>(n.op.count("p"));
  for (size_t i = 0; i < n.op.node().results.size(); ++i) {
    for (size_t group = 1; group < 4; ++group)
      n.solver.same(n.operands[i % count], n.operands[group * count + i % count]);
    n.results.push_back(n.operands[i % count]);
  }
}

void scalar(NodeAxes& n) { n.results = {{}}; }

constexpr OpRules kRules[] = {
    {.op = &ops::adadelta_update, .axes = update, .stays_whole = "parameters have no rows"},
    {.op = &ops::adam_update, .axes = update, .stays_whole = "parameters have no rows"},
    {.op = &ops::squared_norm, .axes = scalar, .stays_whole = "gradients have no rows"},
};

}  // namespace

std::span<const OpRules> optimizer() { return kRules; }

}  // namespace weft::ir::rules
