// ir/rules/pool.cpp -- pooling: rows are examples, steps are more of them.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

namespace weft::ir::rules {
namespace {

void axes(NodeAxes& n) {
  const AxisList& x = n.operands[0];
  const ops::Window window = ops::window_of(n.op, ops::pool_window(n.op));
  n.results.assign(n.op.node().results.size(),
                   axes_around(x[0], positions(n, window, axes_between(x)), x.back()));
}

void grad_axes(NodeAxes& n) {
  const AxisList& dy = n.operands[0];
  const AxisList size = n.new_shape("size");
  if (n.has("indices")) {
    n.solver.same(dy, n.operand("indices"));
  } else {
    const ops::Window window = ops::window_of(n.op, ops::pool_window(n.op));
    n.solver.same(axes_between(dy), positions(n, window, size));
  }
  n.results = {axes_around(dy[0], size, dy.back())};
}

Values batch(const Lift& lift, const Wants&) {
  Values operands;
  for (size_t i = 0; i < lift.operands.size(); ++i)
    operands.push_back(with_steps_in_batch(lift, lift.each(static_cast<int>(i))));
  return with_steps_in_front(lift, lift.emit(operands));
}

RowUse rows_of(const Led& led) { return led.leading == 1 ? all_led(led) : RowUse::mixed; }

constexpr OpRules kRules[] = {
    {.op = &ops::avg_pool,
     .axes = axes,
     .batching = {only_each, batch},
     .rows = rows_of,
     .cost = Cost::rows},
    {.op = &ops::avg_pool_grad,
     .axes = grad_axes,
     .batching = {only_each, batch},
     .rows = rows_of,
     .cost = Cost::rows},
    {.op = &ops::max_pool,
     .axes = axes,
     .batching = {only_each, batch},
     .rows = rows_of,
     .cost = Cost::rows,
     .range = Range::moved},
    {.op = &ops::max_pool_grad,
     .axes = grad_axes,
     .batching = {only_each, batch},
     .rows = rows_of,
     .cost = Cost::rows},
};

}  // namespace

std::span<const OpRules> pool() { return kRules; }

}  // namespace weft::ir::rules
