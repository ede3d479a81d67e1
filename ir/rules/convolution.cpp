// ir/rules/convolution.cpp -- convolutions: rows are examples, steps are more of them.
//
// A weight's adjoint is a sum over the batch, so it comes out summed over the steps. Where weights
// themselves differ from step to step the convolution stays in the loop.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

namespace weft::ir::rules {
namespace {

// Channels of all groups, given those of one.
Axis of_groups(NodeAxes& n, Axis one) {
  const int64_t groups = n.op.integer("groups");
  if (groups == 1) return one;
  return n.solver.made(n.solver.term(one) * Dim(groups), n.solver.size(one) * Dim(groups));
}

// Channels that are cut into groups: a number of them, of which that can be told.
void cut_into_groups(NodeAxes& n, Axis channels) {
  if (n.op.integer("groups") != 1) n.solver.fix(channels);
}

Shape window_sizes(const TensorType& w) { return {w.shape.begin(), w.shape.end() - 2}; }

void axes(NodeAxes& n) {
  const AxisList &x = n.operand("x"), &w = n.operand("w");
  for (size_t i = 0; i + 2 < w.size(); ++i) n.solver.fix(w[i]);
  n.solver.same(x.back(), of_groups(n, w[w.size() - 2]));
  cut_into_groups(n, w.back());
  if (n.has("bias")) n.solver.same(n.operand("bias")[0], w.back());
  const ops::Window window = ops::window_of(n.op, window_sizes(n.op.operand("w")));
  n.results = {axes_around(x[0], positions(n, window, axes_between(x)), w.back())};
}

void input_grad_axes(NodeAxes& n) {
  const AxisList &dy = n.operand("dy"), &w = n.operand("w");
  for (size_t i = 0; i + 2 < w.size(); ++i) n.solver.fix(w[i]);
  n.solver.same(dy.back(), w.back());
  cut_into_groups(n, w.back());
  const AxisList size = n.new_shape("size");
  const ops::Window window = ops::window_of(n.op, window_sizes(n.op.operand("w")));
  n.solver.same(axes_between(dy), positions(n, window, size));
  n.results = {axes_around(dy[0], size, of_groups(n, w[w.size() - 2]))};
}

void weight_grad_axes(NodeAxes& n) {
  AxisSolver& s = n.solver;
  const AxisList &x = n.operand("x"), &dy = n.operand("dy");
  s.same(x[0], dy[0]);
  const Shape size = n.op.shape("size");
  s.same(axes_between(dy), positions(n, ops::window_of(n.op, size), axes_between(x)));
  AxisList result;
  for (const Dim& d : size) result.push_back(s.fixed(d));
  const Axis one = s.fresh(*s.size(x.back()).divided_by(n.op.integer("groups")));
  s.same(x.back(), of_groups(n, one));
  cut_into_groups(n, dy.back());
  result.push_back(one);
  result.push_back(dy.back());
  n.results = {result};
}

bool can_batch(const OpView& op, const Flags& lifted, const Wants& wants) {
  return only_first_lifted(op, lifted, wants);
}

// Of x, or of dy: what has a batch is operand 0.
Values batch(const Lift& lift, const Wants&) {
  Values operands = lift.operands;
  operands[0] = with_steps_in_batch(lift, operands[0]);
  return with_steps_in_front(lift, lift.emit(operands));
}

bool can_batch_weight_grad(const OpView&, const Flags& lifted, const Wants& wants) {
  return wants[0] == Want::sum && lifted[0] && lifted[1];
}

Values batch_weight_grad(const Lift& lift, const Wants&) {
  return lift.emit(
      {with_steps_in_batch(lift, lift.operands[0]), with_steps_in_batch(lift, lift.operands[1])});
}

RowUse rows_of(const Led& led) {
  if (led.leading != 1 || !led[0]) return RowUse::mixed;
  return led.only({led.op.def().operands[0].name}) ? RowUse::row_wise : RowUse::mixed;
}

RowUse rows_of_weight_grad(const Led& led) {
  return led.leading == 1 && led.all() ? RowUse::summed : RowUse::mixed;
}

bool conv_zero(const OpView& op, int, const Flags& zero) {
  return !op.has("bias") && (zero[0] || zero[1]);
}

constexpr Bf16Operands kStaysF32{.held_back = [](const OpView&, bool) -> std::string_view {
  return "is a convolution, of which there is no kernel that reads bf16";
}};

constexpr OpRules kRules[] = {
    {.op = &ops::conv,
     .axes = axes,
     .batching = {can_batch, batch},
     .rows = rows_of,
     .keeps_zero = conv_zero,
     .cost = Cost::product,
     .bf16 = kStaysF32},
    {.op = &ops::conv_input_grad,
     .axes = input_grad_axes,
     .batching = {can_batch, batch},
     .rows = rows_of,
     .keeps_zero = either_zero,
     .cost = Cost::product,
     .bf16 = kStaysF32},
    {.op = &ops::conv_weight_grad,
     .axes = weight_grad_axes,
     .batching = {can_batch_weight_grad, batch_weight_grad},
     .rows = rows_of_weight_grad,
     .keeps_zero = either_zero,
     .adds_nothing = [](const OpView&, const Flags& zero) { return zero[0] || zero[1]; },
     .cost = Cost::product,
     .bf16 = kStaysF32},
};

}  // namespace

std::span<const OpRules> convolution() { return kRules; }

}  // namespace weft::ir::rules
