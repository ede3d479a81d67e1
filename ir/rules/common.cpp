// ir/rules/common.cpp -- rules that several families share.
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {

void as_first(NodeAxes& n) { n.results = {n.operands[0]}; }

void all_alike(NodeAxes& n) {
  for (size_t i = 1; i < n.operands.size(); ++i) n.solver.same(n.operands[0], n.operands[i]);
  n.results.assign(n.op.node().results.size(), n.operands[0]);
}

void without_axis(NodeAxes& n) {
  AxisList result = n.operands[0];
  result.erase(result.begin() + n.op.axis());
  n.results = {result};
}

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

RowUse along_inner_axes(const Led& led) {
  return led.all() && led.acts_behind() ? RowUse::row_wise : RowUse::mixed;
}

RowUse all_led(const Led& led) { return led.all() ? RowUse::row_wise : RowUse::mixed; }

bool first_zero(const OpView&, int, const Flags& zero) { return zero[0]; }
bool either_zero(const OpView&, int, const Flags& zero) { return zero[0] || zero[1]; }
bool first_adds_nothing(const OpView&, const Flags& zero) { return zero[0]; }

// The positions of a window along the axes between the first and the last of x: T[B,s...,C].
AxisList positions(NodeAxes& n, const ops::Window& window, const AxisList& between) {
  Shape terms, sizes;
  for (const Axis a : between) {
    terms.push_back(n.solver.term(a));
    sizes.push_back(n.solver.size(a));
  }
  const Shape of = ops::window_positions(n.op, window, terms),
              size = ops::window_positions(n.op, window, sizes);
  AxisList axes;
  for (size_t i = 0; i < of.size(); ++i) axes.push_back(n.solver.made(of[i], size[i]));
  return axes;
}

AxisList axes_between(const AxisList& x) { return {x.begin() + 1, x.end() - 1}; }
AxisList axes_around(Axis batch, const AxisList& between, Axis channels) {
  AxisList list{batch};
  list.insert(list.end(), between.begin(), between.end());
  list.push_back(channels);
  return list;
}

Value with_steps_in_batch(const Lift& lift, Value v) {
  Shape shape = lift.builder.type(v).shape;
  shape[1] = shape[0] * shape[1];
  shape.erase(shape.begin());
  return lift.builder.reshape(v, shape);
}

Values with_steps_in_front(const Lift& lift, const Values& made) {
  Values results;
  for (size_t i = 0; i < made.size(); ++i) {
    Shape shape = lift.op.result(static_cast<int>(i)).shape;
    shape.insert(shape.begin(), lift.steps);
    results.push_back(lift.builder.reshape(made[i], shape));
  }
  return results;
}

}  // namespace weft::ir::rules
