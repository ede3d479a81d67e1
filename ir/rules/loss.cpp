// ir/rules/loss.cpp -- losses of rows, and a loss at once with the product that made its scores.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {
namespace {

void linear_axes(NodeAxes& n) {
  n.sign(n.op.flag("transpose_b") ? "dloss:* x:*k w:vk labels:* bias:v weights:* -> * wanted"
                                  : "dloss:* x:*k w:kv labels:* bias:v weights:* -> * wanted");
}

RowUse rows_of_linear(const Led& led) {
  return led.leading == led.op.result().rank() && led("dloss") && led("x") && led("labels") &&
                 led("weights") == led.op.has("weights") &&
                 led.only({"dloss", "x", "labels", "weights"})
             ? RowUse::both
             : RowUse::mixed;
}

// The loss and the adjoint of x are by rows, those of w and bias sums.
std::optional<Flags> moved_linear(const Led& led) {
  if (rows_of_linear(led) != RowUse::both) return std::nullopt;
  Flags rows{true};
  for (const std::string& name : led.op.texts("wanted")) rows.push_back(name == "x");
  return rows;
}

bool named(const OpView& op, const Flags& zero, std::string_view name) {
  return op.has(name) && zero[static_cast<size_t>(op.position(name))];
}
bool linear_zero(const OpView& op, int result, const Flags& zero) {
  return named(op, zero, "weights") || (result > 0 && named(op, zero, "dloss"));
}
bool loss_zero(const OpView& op, int result, const Flags& zero) {
  return result == 0 && named(op, zero, "weights");
}
bool grad_zero(const OpView& op, int, const Flags& zero) {
  return named(op, zero, "dloss") || named(op, zero, "weights");
}

constexpr OpRules kRules[] = {
    {.op = &ops::linear_cross_entropy,
     .axes = linear_axes,
     .rows = rows_of_linear,
     .moved = moved_linear,
     .keeps_zero = linear_zero,
     .adds_nothing = [](const OpView& op,
                        const Flags& zero) { return zero[0] || named(op, zero, "weights"); },
     .cost = Cost::product,
     .bf16 = {.factors = {"x", "w"},
              .matrices = [](const OpView& op) { return op.operand("w").shape; }}},
    {.op = &ops::softmax_cross_entropy,
     .signature = "logits:*v labels:* weights:* -> * *",
     .batching = {only_each, same_node_all_lifted},
     .rows = all_led,
     .keeps_zero = loss_zero,
     .cost = Cost::loss},
    {.op = &ops::softmax_cross_entropy_grad,
     .signature = "logits:*v dloss:* labels:* lse:* weights:* -> *v",
     .batching = {only_each, same_node_all_lifted},
     .rows = all_led,
     .keeps_zero = grad_zero,
     .cost = Cost::loss,
     .range = Range::adjoint},
};

}  // namespace

std::span<const OpRules> loss() { return kRules; }

}  // namespace weft::ir::rules
