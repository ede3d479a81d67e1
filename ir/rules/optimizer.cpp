// ir/rules/optimizer.cpp -- parameters, which have no rows.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

namespace weft::ir::rules {
namespace {

// p, g and those states that have its shape go together; results are p and the states.
void update(NodeAxes& n) {
  const auto count = static_cast<size_t>(n.op.count("p"));
  for (size_t i = 0; i < n.op.node().operands.size(); ++i)
    if (n.op.operand(static_cast<int>(i)) == n.op.operand(static_cast<int>(i % count)))
      n.solver.same(n.operands[i % count], n.operands[i]);
  for (size_t i = 0; i < n.op.node().results.size(); ++i)
    n.results.push_back(n.operands[i < count ? i : i + count]);
}

// The same; of a factored second moment r has a parameter's axes but the last, c but the one before.
void factored(NodeAxes& n) {
  update(n);
  if (!n.has("c")) return;
  const auto count = static_cast<size_t>(n.op.count("p"));
  for (size_t i = 0; i < count; ++i) {
    AxisList rows = n.operands[i], columns = n.operands[i];
    rows.pop_back();
    columns.erase(columns.end() - 2);
    n.solver.same(n.operands[static_cast<size_t>(n.op.position("r")) + i], rows);
    n.solver.same(n.operands[static_cast<size_t>(n.op.position("c")) + i], columns);
  }
}

// Averages go with what they are of.
void average(NodeAxes& n) {
  const auto count = static_cast<size_t>(n.op.count("p"));
  for (size_t i = 0; i < count; ++i) {
    n.solver.same(n.operands[i], n.operands[count + i]);
    n.results.push_back(n.operands[i]);
  }
}

void scalar(NodeAxes& n) { n.results = {{}}; }

constexpr const char* kNoRows = "parameters have no rows";

constexpr OpRules kRules[] = {
    {.op = &ops::adadelta_update, .axes = update, .stays_whole = kNoRows},
    {.op = &ops::adafactor_update, .axes = factored, .stays_whole = kNoRows},
    {.op = &ops::adagrad_update, .axes = update, .stays_whole = kNoRows},
    {.op = &ops::adam_update, .axes = update, .stays_whole = kNoRows},
    {.op = &ops::lion_update, .axes = update, .stays_whole = kNoRows},
    {.op = &ops::moving_average, .axes = average, .stays_whole = kNoRows},
    {.op = &ops::sgd_update, .axes = update, .stays_whole = kNoRows},
    {.op = &ops::squared_norm, .axes = scalar, .stays_whole = "gradients have no rows"},
};

}  // namespace

std::span<const OpRules> optimizer() { return kRules; }

}  // namespace weft::ir::rules
