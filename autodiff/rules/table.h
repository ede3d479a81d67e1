// autodiff/rules/table.h -- the derivative of every op.
#pragma once
#include "autodiff/rule.h"

#include <span>

namespace weft::autodiff {

std::span<const VjpRule* const> rule_table();   // sorted by op name
const VjpRule* find_rule(const ir::OpDef& op);  // null: none
const VjpRule& rule_of(const ir::OpDef& op);    // every op has one

namespace rules {

extern const VjpRule abs, adadelta_update, adam_update, add, arg_max, attention, attention_grad,
    avg_pool, avg_pool_grad, broadcast, cast, ceil, concat, constant, conv, conv_input_grad,
    conv_weight_grad, cos, cumprod, cumsum, custom_vjp, dim_size, div, dynamic_slice, equal, erf,
    exp, expm1, floor, gather, gelu, gelu_tanh, greater, greater_equal, gru_cell, gru_cell_grad,
    iota, is_finite, layer_norm, layer_norm_grad, length_mask, length_order, less, less_equal,
    linear, linear_cross_entropy, linear_recurrence, log, log1p, log_softmax, log_softmax_top_k,
    logical_and, logical_not, logical_or, logical_xor, lstm_cell, lstm_cell_grad, matmul, max,
    max_pool, max_pool_grad, maximum, mean, min, minimum, mul, neg, not_equal, one_hot, pack,
    packed_attention, packed_attention_grad, pad, pow, prod, random, relu, remainder, reshape,
    reverse, rms_norm, rms_norm_grad, round, rsqrt, same_dim, scan, scatter_add, select, sigmoid,
    sign, silu, sin, slice, softmax, softmax_cross_entropy, softmax_cross_entropy_grad,
    softmax_grad, softplus, sort, sqrt, squared_norm, stop_gradient, sub, sum, tanh, top_k,
    transpose, unpack, update_slice;

}  // namespace rules
}  // namespace weft::autodiff
