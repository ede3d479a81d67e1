// backends/onednn/lower/table.cpp -- the lowering of every op, sorted by name.
#include "backends/onednn/lower/table.h"

#include "backends/onednn/lower/ops.h"
#include "ir/ops/all.h"

#include <algorithm>

namespace weft::onednn {
namespace {

namespace ops = ir::ops;

constexpr Lowering elementwise(const ir::OpDef& op) {
  return {.op = &op,
          .lower = lower_elementwise,
          .operands = Layout::any,
          .results = Layout::any,
          .in_place = [](const ir::OpView&, int, int) { return true; }};
}

constexpr Lowering view(const ir::OpDef& op,
                        std::optional<Tensor> (*as)(const ir::OpView&, const Tensor&)) {
  return {.op = &op,
          .lower = lower_view_copy,
          .operands = Layout::any,
          .results = Layout::any,
          .view = as};
}

constexpr Lowering kTable[] = {
    elementwise(ops::abs),
    {.op = &ops::adadelta_update,
     .lower = lower_adadelta_update,
     .in_place = update_in_place,
     .serves = update_serves},
    {.op = &ops::adam_update,
     .lower = lower_adam_update,
     .in_place = update_in_place,
     .serves = update_serves},
    elementwise(ops::add),
    {.op = &ops::arg_max, .lower = lower_arg_max},
    {.op = &ops::attention,
     .lower = lower_attention,
     .results = Layout::inner,
     .operand = attention_operand,
     .serves = attention_serves},
    {.op = &ops::attention_grad,
     .lower = lower_attention_grad,
     .results = Layout::inner,
     .operand = attention_operand,
     .serves = attention_serves},
    view(ops::broadcast, view_broadcast),
    elementwise(ops::cast),
    elementwise(ops::ceil),
    {.op = &ops::concat, .lower = lower_concat, .operands = Layout::any, .results = Layout::any},
    {.op = &ops::constant, .lower = lower_constant, .constant = true},
    elementwise(ops::cos),
    {.op = &ops::cumsum,
     .lower = lower_cumsum,
     .in_place = [](const ir::OpView&, int, int) { return true; }},
    {.op = &ops::custom_vjp},
    {.op = &ops::dim_size, .lower = lower_dim_size, .operands = Layout::any, .constant = true},
    elementwise(ops::div),
    {.op = &ops::dynamic_slice,
     .lower = lower_dynamic_slice,
     .operands = Layout::any,
     .results = Layout::any},
    elementwise(ops::equal),
    elementwise(ops::erf),
    elementwise(ops::exp),
    elementwise(ops::expm1),
    elementwise(ops::floor),
    {.op = &ops::gather, .lower = lower_gather},
    elementwise(ops::gelu),
    elementwise(ops::gelu_tanh),
    elementwise(ops::greater),
    elementwise(ops::greater_equal),
    {.op = &ops::gru_cell,
     .lower = lower_gru_cell,
     .results = Layout::rows,
     .operand = cell_operand},
    {.op = &ops::gru_cell_grad,
     .lower = lower_gru_cell_grad,
     .results = Layout::rows,
     .operand = cell_operand},
    {.op = &ops::iota, .lower = lower_iota, .constant = true},
    elementwise(ops::is_finite),
    {.op = &ops::length_mask, .lower = lower_length_mask},
    elementwise(ops::less),
    elementwise(ops::less_equal),
    {.op = &ops::linear,
     .lower = lower_linear,
     .results = Layout::inner,
     .operand = linear_operand},
    elementwise(ops::log),
    elementwise(ops::log1p),
    {.op = &ops::log_softmax,
     .lower = lower_softmax,
     .results = Layout::dense,
     .operand = softmax_operand},
    {.op = &ops::log_softmax_top_k,
     .lower = lower_top_k,
     .operand = top_k_operand,
     .serves = log_softmax_top_k_serves},
    elementwise(ops::logical_and),
    elementwise(ops::logical_not),
    elementwise(ops::logical_or),
    elementwise(ops::logical_xor),
    {.op = &ops::lstm_cell,
     .lower = lower_lstm_cell,
     .results = Layout::rows,
     .operand = cell_operand},
    {.op = &ops::lstm_cell_grad,
     .lower = lower_lstm_cell_grad,
     .results = Layout::rows,
     .operand = cell_operand},
    {.op = &ops::matmul,
     .lower = lower_matmul,
     .operands = Layout::matrix,
     .results = Layout::inner},
    {.op = &ops::max, .lower = lower_reduce},
    elementwise(ops::maximum),
    {.op = &ops::mean, .lower = lower_reduce},
    {.op = &ops::min, .lower = lower_reduce},
    elementwise(ops::minimum),
    elementwise(ops::mul),
    elementwise(ops::neg),
    elementwise(ops::not_equal),
    {.op = &ops::one_hot, .lower = lower_one_hot},
    {.op = &ops::pad, .lower = lower_pad, .operands = Layout::any, .results = Layout::any},
    elementwise(ops::pow),
    {.op = &ops::prod, .lower = lower_reduce},
    {.op = &ops::random, .lower = lower_random},
    elementwise(ops::relu),
    elementwise(ops::remainder),
    view(ops::reshape, view_same),
    view(ops::reverse, view_reverse),
    elementwise(ops::round),
    elementwise(ops::rsqrt),
    view(ops::same_dim, view_same),
    {.op = &ops::scan, .lower = lower_scan, .operands = Layout::any, .results = Layout::any},
    {.op = &ops::scatter_add,
     .lower = lower_scatter_add,
     .operand = scatter_operand,
     .in_place = over_first},
    elementwise(ops::select),
    elementwise(ops::sigmoid),
    elementwise(ops::sign),
    elementwise(ops::silu),
    elementwise(ops::sin),
    view(ops::slice, view_slice),
    {.op = &ops::softmax,
     .lower = lower_softmax,
     .operand = softmax_operand,
     .in_place = softmax_in_place},
    {.op = &ops::softmax_cross_entropy,
     .lower = lower_softmax_cross_entropy,
     .operand = loss_operand},
    {.op = &ops::softmax_cross_entropy_grad,
     .lower = lower_softmax_cross_entropy_grad,
     .results = Layout::rows,
     .operand = loss_operand,
     .in_place = loss_grad_in_place},
    elementwise(ops::softplus),
    elementwise(ops::sqrt),
    {.op = &ops::squared_norm, .lower = lower_squared_norm},
    view(ops::stop_gradient, view_same),
    elementwise(ops::sub),
    {.op = &ops::sum, .lower = lower_reduce},
    elementwise(ops::tanh),
    {.op = &ops::top_k, .lower = lower_top_k, .operand = top_k_operand},
    view(ops::transpose, view_transpose),
    {.op = &ops::update_slice,
     .lower = lower_update_slice,
     .operands = Layout::any,
     .results = Layout::any,
     .in_place = over_first},
};

}  // namespace

std::span<const Lowering> lowerings() { return kTable; }

const Lowering* find_lowering(const ir::OpDef* op) {
  const auto* found =
      std::lower_bound(std::begin(kTable), std::end(kTable), op->name,
                       [](const Lowering& l, std::string_view name) { return l.op->name < name; });
  return found != std::end(kTable) && found->op == op ? found : nullptr;
}

bool is_lowered(const ir::OpView& op) {
  const Lowering* l = find_lowering(&op.def());
  return l != nullptr && l->lower != nullptr && (l->serves == nullptr || l->serves(op));
}

}  // namespace weft::onednn
