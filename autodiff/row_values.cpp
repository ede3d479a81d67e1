// autodiff/row_values.cpp -- what values ended rows may hold, by the ranges of ops.
#include "autodiff/row_values.h"

#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>
#include <cmath>

namespace weft::autodiff {
namespace {

using ir::Node;
using ir::Value;
namespace ops = ir::ops;
using enum RowValues;

RowValues of_constant(const ir::OpView& op) {
  RowValues worst = op.exact_integers("values").empty() ? zero : finite;
  for (const double v : op.reals("values"))
    worst = std::max(worst, std::isnan(v)   ? any
                            : std::isinf(v) ? extended
                            : v != 0        ? finite
                                            : zero);
  return worst;
}

bool is_nonzero_constant(const ir::Graph& graph, Value v) {
  const Node* node = graph.producer(v);
  if (node == nullptr) return false;
  if (node->op == &ops::dim_size) return true;
  if (node->op != &ops::constant) return false;
  const ir::Reals& values = ir::OpView(graph, *node).reals("values");
  return !values.empty() && std::all_of(values.begin(), values.end(),
                                        [](double x) { return x != 0 && std::isfinite(x); });
}

bool is_live(const ir::Graph& graph, Value cond, Value live) {
  const Node* node = graph.producer(cond);
  return cond == live ||
         (node != nullptr && node->op == &ops::reshape && node->operands[0] == live);
}

}  // namespace

RowValues row_values(const ir::Graph& graph, const Node& node, const std::vector<RowValues>& values,
                     Value live) {
  const ir::OpView view(graph, node);
  const ir::OpDef* op = node.op;
  const auto at = [&](int operand) {
    const Value v = node.operands[static_cast<size_t>(operand)];
    return ir::is_float(graph.type(v).dtype) ? values[static_cast<size_t>(v.id)] : finite;
  };
  RowValues worst = zero;
  std::vector<bool> zeros;
  for (int i = 0; i < view.operand_count(); ++i) {
    worst = std::max(worst, at(i));
    zeros.push_back(at(i) == zero);
  }
  if (op == &ops::constant) return of_constant(view);
  if (op == &ops::select)
    return is_live(graph, node.operands[0], live) ? at(2) : std::max(at(1), at(2));
  if (node.operands.empty()) return finite;
  if (op == &ops::div) return is_nonzero_constant(graph, node.operands[1]) ? at(0) : any;
  const ir::Range range = ir::rules_of(*op).range;
  const bool keeps_zero = ir::keeps_zero(view, 0, zeros);
  if (range == ir::Range::adjoint) return keeps_zero && worst <= extended ? zero : any;
  if (keeps_zero && worst <= finite) return zero;
  if (range == ir::Range::poles || worst == any) return any;
  if (range == ir::Range::bounded || worst <= finite) return finite;
  return range == ir::Range::moved ? extended : any;
}

}  // namespace weft::autodiff
