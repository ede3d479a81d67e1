// autodiff/row_values.cpp -- zero, finite or anything: by op.
#include "autodiff/row_values.h"

#include "ir/ops/all.h"

#include <algorithm>
#include <cmath>

namespace weft::autodiff {
namespace {

using ir::Node;
using ir::Value;
namespace ops = ir::ops;
using enum EndedRows;

template <size_t N>
bool one_of(const ir::OpDef* op, const ir::OpDef* const (&list)[N]) {
  return std::find(std::begin(list), std::end(list), op) != std::end(list);
}

constexpr const ir::OpDef* kBounded[] = {&ops::cos,  &ops::erf, &ops::exp,     &ops::sigmoid,
                                         &ops::sign, &ops::sin, &ops::softmax, &ops::tanh};
constexpr const ir::OpDef* kWithPoles[] = {
    &ops::log, &ops::log1p, &ops::pow, &ops::remainder, &ops::rsqrt, &ops::scan, &ops::custom_vjp};
// Adjoints that are linear in their first operands.
constexpr const ir::OpDef* kAdjoints[] = {&ops::attention_grad,  &ops::gru_cell_grad,
                                          &ops::layer_norm_grad, &ops::lstm_cell_grad,
                                          &ops::rms_norm_grad,   &ops::softmax_cross_entropy_grad,
                                          &ops::softmax_grad};
// What they make of finite rows is finite, of infinite ones anything.
constexpr const ir::OpDef* kSums[] = {&ops::avg_pool,
                                      &ops::avg_pool_grad,
                                      &ops::conv,
                                      &ops::conv_input_grad,
                                      &ops::conv_weight_grad,
                                      &ops::cumprod,
                                      &ops::cumsum,
                                      &ops::linear_recurrence,
                                      &ops::matmul,
                                      &ops::max_pool_grad,
                                      &ops::mean,
                                      &ops::prod,
                                      &ops::sum};
// Of finite rows finite (eps is positive), of infinite ones NaN.
constexpr const ir::OpDef* kNorms[] = {&ops::layer_norm, &ops::rms_norm};

EndedRows of_constant(const ir::OpView& op) {
  EndedRows worst = op.exact_integers("values").empty() ? zero : finite;
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

EndedRows ended_rows(const ir::Graph& graph, const Node& node, const std::vector<EndedRows>& values,
                     Value live) {
  const ir::OpView view(graph, node);
  const ir::OpDef* op = node.op;
  const auto at = [&](int operand) {
    const Value v = node.operands[static_cast<size_t>(operand)];
    return ir::is_float(graph.type(v).dtype) ? values[static_cast<size_t>(v.id)] : finite;
  };
  EndedRows worst = zero, best = any;
  for (int i = 0; i < view.operand_count(); ++i) {
    worst = std::max(worst, at(i));
    best = std::min(best, at(i));
  }
  if (op == &ops::constant) return of_constant(view);
  if (op == &ops::select)
    return is_live(graph, node.operands[0], live) ? at(2) : std::max(at(1), at(2));
  if (node.operands.empty()) return finite;
  if ((op == &ops::mul || op == &ops::matmul || op == &ops::conv_input_grad) && best == zero &&
      worst <= finite)
    return zero;
  if (one_of(op, kAdjoints)) {
    const bool silent = at(0) == zero && (op != &ops::lstm_cell_grad || at(1) == zero) &&
                        (op != &ops::attention_grad || !view.has("dweights") ||
                         at(view.position("dweights")) == zero);
    return silent && worst <= extended ? zero : any;
  }
  if (one_of(op, kNorms) && worst > finite) return any;
  if (op == &ops::div) return is_nonzero_constant(graph, node.operands[1]) ? at(0) : any;
  if (one_of(op, kBounded) && worst <= extended) return finite;
  if (one_of(op, kWithPoles)) return any;
  if (op->zero_preserving && worst == zero) return zero;
  if (op == &ops::sqrt || worst == any) return any;
  const bool moves = !op->elementwise && !one_of(op, kSums);
  return worst == extended ? (moves ? extended : any) : finite;
}

}  // namespace weft::autodiff
