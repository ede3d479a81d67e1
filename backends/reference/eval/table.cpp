// backends/reference/eval/table.cpp -- every evaluation, sorted by op.
#include "backends/reference/eval/table.h"

#include <unordered_map>

namespace weft::backends::reference {

std::span<const Evaluation* const> evaluations() {
  static const Evaluation* const table[] = {
      &eval::abs,
      &eval::add,
      &eval::arg_max,
      &eval::avg_pool,
      &eval::avg_pool_grad,
      &eval::broadcast,
      &eval::cast,
      &eval::ceil,
      &eval::concat,
      &eval::constant,
      &eval::conv,
      &eval::conv_input_grad,
      &eval::conv_weight_grad,
      &eval::cos,
      &eval::cumprod,
      &eval::cumsum,
      &eval::custom_vjp,
      &eval::dim_size,
      &eval::div,
      &eval::dynamic_slice,
      &eval::equal,
      &eval::erf,
      &eval::exp,
      &eval::expm1,
      &eval::floor,
      &eval::gather,
      &eval::gelu,
      &eval::gelu_tanh,
      &eval::greater,
      &eval::greater_equal,
      &eval::iota,
      &eval::is_finite,
      &eval::length_mask,
      &eval::length_order,
      &eval::less,
      &eval::less_equal,
      &eval::linear_recurrence,
      &eval::log,
      &eval::log1p,
      &eval::log_softmax,
      &eval::logical_and,
      &eval::logical_not,
      &eval::logical_or,
      &eval::logical_xor,
      &eval::matmul,
      &eval::max,
      &eval::max_pool,
      &eval::maximum,
      &eval::mean,
      &eval::min,
      &eval::minimum,
      &eval::mul,
      &eval::neg,
      &eval::not_equal,
      &eval::one_hot,
      &eval::pack,
      &eval::pad,
      &eval::pow,
      &eval::prod,
      &eval::random,
      &eval::relu,
      &eval::remainder,
      &eval::reshape,
      &eval::reverse,
      &eval::round,
      &eval::rsqrt,
      &eval::same_dim,
      &eval::scan,
      &eval::scatter_add,
      &eval::select,
      &eval::sigmoid,
      &eval::sign,
      &eval::silu,
      &eval::sin,
      &eval::slice,
      &eval::softmax,
      &eval::softplus,
      &eval::sort,
      &eval::sqrt,
      &eval::stop_gradient,
      &eval::sub,
      &eval::sum,
      &eval::tanh,
      &eval::top_k,
      &eval::transpose,
      &eval::unpack,
      &eval::update_slice,
  };
  return table;
}

const Evaluation* find_evaluation(const ir::OpDef& op) {
  static const auto by_op = [] {
    std::unordered_map<const ir::OpDef*, const Evaluation*> map;
    for (const Evaluation* e : evaluations()) map.emplace(e->op, e);
    return map;
  }();
  const auto it = by_op.find(&op);
  return it == by_op.end() ? nullptr : it->second;
}

}  // namespace weft::backends::reference
