// ir/rules/table.h -- the rules, by the file of ir/ops their ops are declared in.
#pragma once
#include "ir/rules/batching.h"

#include <span>

namespace weft::ir::batching {

std::span<const BatchingRule> rules();  // all but elementwise ops
const BatchingRule* elementwise_rule();

// attention.cpp
bool can_attention(const OpView& op, const Flags& lifted, const Wants& wants);
Values attention(const Lift& lift, const Wants& wants);
bool can_attention_grad(const OpView& op, const Flags& lifted, const Wants& wants);
Values attention_grad(const Lift& lift, const Wants& wants);
// convolution.cpp
bool can_conv(const OpView& op, const Flags& lifted, const Wants& wants);
Values conv(const Lift& lift, const Wants& wants);
bool can_conv_weight_grad(const OpView& op, const Flags& lifted, const Wants& wants);
Values conv_weight_grad(const Lift& lift, const Wants& wants);
// [steps,B,...] as [steps*B,...], and back.
Value with_steps_in_batch(const Lift& lift, Value v);
Values with_steps_in_front(const Lift& lift, const Values& made);
// gather.cpp
bool can_gather(const OpView& op, const Flags& lifted, const Wants& wants);
Values gather(const Lift& lift, const Wants& wants);
bool can_scatter_add(const OpView& op, const Flags& lifted, const Wants& wants);
Values scatter_add(const Lift& lift, const Wants& wants);
// matmul.cpp
bool can_matmul(const OpView& op, const Flags& lifted, const Wants& wants);
Values matmul(const Lift& lift, const Wants& wants);
bool can_linear(const OpView& op, const Flags& lifted, const Wants& wants);
// norm.cpp
bool can_norm(const OpView& op, const Flags& lifted, const Wants& wants);
bool can_norm_grad(const OpView& op, const Flags& lifted, const Wants& wants);
Values norm_grad(const Lift& lift, const Wants& wants);
// pool.cpp
Values pool(const Lift& lift, const Wants& wants);
// random.cpp
bool can_random(const OpView& op, const Flags& lifted, const Wants& wants);
// reduce.cpp
bool can_sum(const OpView& op, const Flags& lifted, const Wants& wants);
Values sum(const Lift& lift, const Wants& wants);
// shape.cpp
Values broadcast(const Lift& lift, const Wants& wants);
Values reshape(const Lift& lift, const Wants& wants);
Values transpose(const Lift& lift, const Wants& wants);

// For ops whose axes are counted from the end: the same node on lifted operands.
Values same_node(const Lift& lift, const Wants& wants);
Values same_node_all_lifted(const Lift& lift, const Wants& wants);
bool only_first_lifted(const OpView& op, const Flags& lifted, const Wants& wants);

}  // namespace weft::ir::batching
