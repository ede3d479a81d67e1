// autodiff/rules/table.cpp -- the derivative of every op, sorted by name.
#include "autodiff/rules/table.h"

#include <algorithm>

namespace weft::autodiff {
namespace {

constexpr const VjpRule* kTable[] = {
    &rules::abs,
    &rules::adadelta_update,
    &rules::adam_update,
    &rules::add,
    &rules::arg_max,
    &rules::attention,
    &rules::attention_grad,
    &rules::avg_pool,
    &rules::avg_pool_grad,
    &rules::broadcast,
    &rules::cast,
    &rules::ceil,
    &rules::concat,
    &rules::constant,
    &rules::conv,
    &rules::conv_input_grad,
    &rules::conv_weight_grad,
    &rules::cos,
    &rules::cumprod,
    &rules::cumsum,
    &rules::custom_vjp,
    &rules::dim_size,
    &rules::div,
    &rules::dynamic_slice,
    &rules::equal,
    &rules::erf,
    &rules::exp,
    &rules::expm1,
    &rules::floor,
    &rules::gather,
    &rules::gelu,
    &rules::gelu_tanh,
    &rules::greater,
    &rules::greater_equal,
    &rules::gru_cell,
    &rules::gru_cell_grad,
    &rules::iota,
    &rules::is_finite,
    &rules::layer_norm,
    &rules::layer_norm_grad,
    &rules::length_mask,
    &rules::length_order,
    &rules::less,
    &rules::less_equal,
    &rules::linear,
    &rules::linear_cross_entropy,
    &rules::linear_recurrence,
    &rules::log,
    &rules::log1p,
    &rules::log_softmax,
    &rules::log_softmax_top_k,
    &rules::logical_and,
    &rules::logical_not,
    &rules::logical_or,
    &rules::logical_xor,
    &rules::lstm_cell,
    &rules::lstm_cell_grad,
    &rules::matmul,
    &rules::max,
    &rules::max_pool,
    &rules::max_pool_grad,
    &rules::maximum,
    &rules::mean,
    &rules::min,
    &rules::minimum,
    &rules::mul,
    &rules::neg,
    &rules::not_equal,
    &rules::one_hot,
    &rules::pack,
    &rules::packed_attention,
    &rules::packed_attention_grad,
    &rules::pad,
    &rules::pow,
    &rules::prod,
    &rules::random,
    &rules::relu,
    &rules::remainder,
    &rules::reshape,
    &rules::reverse,
    &rules::rms_norm,
    &rules::rms_norm_grad,
    &rules::round,
    &rules::rsqrt,
    &rules::same_dim,
    &rules::scan,
    &rules::scatter_add,
    &rules::select,
    &rules::sigmoid,
    &rules::sign,
    &rules::silu,
    &rules::sin,
    &rules::slice,
    &rules::softmax,
    &rules::softmax_cross_entropy,
    &rules::softmax_cross_entropy_grad,
    &rules::softmax_grad,
    &rules::softplus,
    &rules::sort,
    &rules::sqrt,
    &rules::squared_norm,
    &rules::stop_gradient,
    &rules::sub,
    &rules::sum,
    &rules::tanh,
    &rules::top_k,
    &rules::transpose,
    &rules::unpack,
    &rules::update_slice,
};

}  // namespace

std::span<const VjpRule* const> rule_table() { return kTable; }

const VjpRule* find_rule(const ir::OpDef& op) {
  const auto it = std::lower_bound(
      std::begin(kTable), std::end(kTable), op.name,
      [](const VjpRule* rule, std::string_view name) { return rule->op->name < name; });
  return it != std::end(kTable) && (*it)->op == &op ? *it : nullptr;
}

const VjpRule& rule_of(const ir::OpDef& op) {
  const VjpRule* rule = find_rule(op);
  WEFT_CHECK(rule != nullptr);
  return *rule;
}

}  // namespace weft::autodiff
