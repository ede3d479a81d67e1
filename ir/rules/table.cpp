// ir/rules/table.cpp -- the table of batching rules, and those that need no thought.
#include "ir/rules/table.h"

namespace weft::ir::batching {

Values same_node(const Lift& lift, const Wants&) { return lift.emit(lift.operands); }

Values same_node_all_lifted(const Lift& lift, const Wants&) {
  Values operands;
  for (size_t i = 0; i < lift.operands.size(); ++i)
    operands.push_back(lift.each(static_cast<int>(i)));
  return lift.emit(operands);
}

bool only_first_lifted(const OpView& op, const Flags& lifted, const Wants& wants) {
  for (size_t i = 1; i < lifted.size(); ++i)
    if (lifted[i]) return false;
  return lifted[0] && only_each(op, lifted, wants);
}

std::span<const BatchingRule> rules() {
  static constexpr BatchingRule kRules[] = {
      {&ops::arg_max, only_each, same_node},
      {&ops::attention, can_attention, attention},
      {&ops::attention_grad, can_attention_grad, attention_grad},
      {&ops::avg_pool, only_each, pool},
      {&ops::avg_pool_grad, only_each, pool},
      {&ops::broadcast, only_each, broadcast},
      {&ops::concat, only_each, same_node_all_lifted},
      {&ops::conv, can_conv, conv},
      {&ops::conv_input_grad, can_conv, conv},
      {&ops::conv_weight_grad, can_conv_weight_grad, conv_weight_grad},
      {&ops::cumprod, only_each, same_node},
      {&ops::cumsum, only_each, same_node},
      {&ops::dynamic_slice, only_first_lifted, same_node},
      {&ops::gather, can_gather, gather},
      {&ops::layer_norm, can_norm, same_node},
      {&ops::layer_norm_grad, can_norm_grad, norm_grad},
      {&ops::length_mask, only_each, same_node},
      {&ops::linear, can_linear, same_node},
      {&ops::linear_recurrence, only_each, same_node_all_lifted},
      {&ops::log_softmax, only_each, same_node},
      {&ops::log_softmax_top_k, only_each, same_node},
      {&ops::matmul, can_matmul, matmul},
      {&ops::max, only_each, same_node},
      {&ops::max_pool, only_each, pool},
      {&ops::max_pool_grad, only_each, pool},
      {&ops::mean, only_each, same_node},
      {&ops::min, only_each, same_node},
      {&ops::one_hot, only_each, same_node},
      {&ops::pad, only_each, same_node},
      {&ops::prod, only_each, same_node},
      {&ops::random, can_random, same_node},
      {&ops::reshape, only_each, reshape},
      {&ops::reverse, only_each, same_node},
      {&ops::rms_norm, can_norm, same_node},
      {&ops::rms_norm_grad, can_norm_grad, norm_grad},
      {&ops::same_dim, only_each, same_node},
      {&ops::scatter_add, can_scatter_add, scatter_add},
      {&ops::slice, only_each, same_node},
      {&ops::softmax, only_each, same_node},
      {&ops::softmax_cross_entropy, only_each, same_node_all_lifted},
      {&ops::softmax_cross_entropy_grad, only_each, same_node_all_lifted},
      {&ops::softmax_grad, only_each, same_node_all_lifted},
      {&ops::sort, only_each, same_node},
      {&ops::stop_gradient, only_each, same_node},
      {&ops::sum, can_sum, sum},
      {&ops::top_k, only_each, same_node},
      {&ops::transpose, only_each, transpose},
  };
  return kRules;
}

}  // namespace weft::ir::batching
