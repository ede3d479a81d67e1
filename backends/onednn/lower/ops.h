// backends/onednn/lower/ops.h -- the lowerings and what they tell the planner, by file.
#pragma once
#include "backends/onednn/lower/elementwise.h"
#include "backends/onednn/lower/matmul.h"
#include "backends/onednn/lower/pieces.h"
#include "backends/onednn/lower/table.h"
#include "backends/onednn/plan/lowering.h"

namespace weft::onednn {

// attention.cpp
void lower_attention(Emit& e);
void lower_attention_grad(Emit& e);
void lower_packed_attention(Emit& e);  // and its adjoint
Layout attention_operand(const ir::OpView& op, int operand);

// convolution.cpp
void lower_conv(Emit& e);
void lower_conv_input_grad(Emit& e);
void lower_conv_weight_grad(Emit& e);

// gather.cpp
void lower_dynamic_slice(Emit& e);
void lower_gather(Emit& e);
void lower_scatter_add(Emit& e);
void lower_update_slice(Emit& e);
bool look_up_bounded(const ir::OpView& op);
Layout scatter_operand(const ir::OpView& op, int operand);
bool over_first(const ir::OpView& op, int result, int operand);

// loss.cpp
void lower_linear_cross_entropy(Emit& e);
void lower_softmax_cross_entropy(Emit& e);
void lower_softmax_cross_entropy_grad(Emit& e);
Layout loss_operand(const ir::OpView& op, int operand);
Layout linear_loss_operand(const ir::OpView& op, int operand);
bool loss_bounded(const ir::OpView& op);
bool loss_grad_in_place(const ir::OpView& op, int result, int operand);

// norm.cpp
void lower_norm(Emit& e);
void lower_norm_grad(Emit& e);
Layout norm_operand(const ir::OpView& op, int operand);
bool norm_in_place(const ir::OpView& op, int result, int operand);
bool norm_grad_in_place(const ir::OpView& op, int result, int operand);

// optimizer.cpp
void lower_adadelta_update(Emit& e);
void lower_adafactor_update(Emit& e);
void lower_adagrad_update(Emit& e);
void lower_adam_update(Emit& e);
void lower_lion_update(Emit& e);
void lower_moving_average(Emit& e);
void lower_sgd_update(Emit& e);
void lower_squared_norm(Emit& e);
bool average_in_place(const ir::OpView& op, int result, int operand);
bool update_in_place(const ir::OpView& op, int result, int operand);
bool update_serves(const ir::OpView& op);

// pack.cpp
void lower_length_order(Emit& e);
void lower_pack(Emit& e);
void lower_unpack(Emit& e);

// pool.cpp
void lower_avg_pool(Emit& e);
void lower_avg_pool_grad(Emit& e);
void lower_max_pool(Emit& e);
void lower_max_pool_grad(Emit& e);

// random.cpp
void lower_random(Emit& e);

// recurrent.cpp
void lower_gru_cell(Emit& e);
void lower_gru_cell_grad(Emit& e);
void lower_lstm_cell(Emit& e);
void lower_lstm_cell_grad(Emit& e);
Layout cell_operand(const ir::OpView& op, int operand);

// reduce.cpp
void lower_arg_max(Emit& e);
void lower_cumulative(Emit& e);
void lower_linear_recurrence(Emit& e);
void lower_reduce(Emit& e);
bool reduce_bounded(const ir::OpView& op);

// scan.cpp
void lower_scan(Emit& e);

// shape.cpp
void lower_concat(Emit& e);
void lower_constant(Emit& e);
void lower_dim_size(Emit& e);
void lower_iota(Emit& e);
void lower_length_mask(Emit& e);
void lower_one_hot(Emit& e);
void lower_pad(Emit& e);
void lower_view_copy(Emit& e);
std::optional<Tensor> view_broadcast(const ir::OpView& op, const Tensor& x);
std::optional<Tensor> view_reverse(const ir::OpView& op, const Tensor& x);
std::optional<Tensor> view_same(const ir::OpView& op, const Tensor& x);
std::optional<Tensor> view_slice(const ir::OpView& op, const Tensor& x);
std::optional<Tensor> view_transpose(const ir::OpView& op, const Tensor& x);

// softmax.cpp
void lower_softmax(Emit& e);
void lower_softmax_grad(Emit& e);
Layout softmax_operand(const ir::OpView& op, int operand);
bool softmax_grad_in_place(const ir::OpView& op, int result, int operand);
bool softmax_in_place(const ir::OpView& op, int result, int operand);

// sort.cpp
void lower_sort(Emit& e);

// top_k.cpp
void lower_top_k(Emit& e);
Layout top_k_operand(const ir::OpView& op, int operand);
bool log_softmax_top_k_serves(const ir::OpView& op);

}  // namespace weft::onednn
