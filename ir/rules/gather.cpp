// ir/rules/gather.cpp -- look-ups for all steps at once.
//
// x shared by the steps and indices lifted: with axis 0 the steps come out in front by themselves.
// x lifted: the steps are one more leading axis of it, and a batch axis if the indices are lifted
// too.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {
namespace {

using At = std::ptrdiff_t;

bool plain(const OpView& op) { return op.axis() == 0 && op.integer("batch") == 0; }

Attrs one_more_batch_axis(const Lift& lift) {
  Attrs attrs = lift.op.node().attrs;
  attrs.set("batch", lift.op.integer("batch") + 1);
  return attrs;
}

bool is_zero(const OpView& op, int operand) {
  const Node* p = op.graph().producer(op.node().operands[static_cast<size_t>(operand)]);
  return p != nullptr && p->op == &ops::constant &&
         OpView(op.graph(), *p).reals("values") == Reals{0.0};
}

bool can_batch_gather(const OpView& op, const Flags& lifted, const Wants& wants) {
  if (!only_each(op, lifted, wants)) return false;
  if (!lifted[0]) return plain(op);
  return lifted[1] || op.integer("batch") == 0;
}

Values batch_gather(const Lift& lift, const Wants&) {
  if (lift.lifted[0] && lift.lifted[1]) return lift.emit(lift.operands, one_more_batch_axis(lift));
  return lift.emit(lift.operands);
}

// Summed, starting from zeros: the steps are one more axis of indices and updates.
bool can_batch_scatter(const OpView& op, const Flags& lifted, const Wants& wants) {
  if (wants[0] == Want::sum)
    return plain(op) && lifted[1] && lifted[2] && !lifted[0] && is_zero(op, 0);
  return true;
}

Values batch_scatter(const Lift& lift, const Wants& wants) {
  if (wants[0] == Want::sum) return lift.emit(lift.operands);
  return lift.emit({lift.each(0), lift.each(1), lift.each(2)}, one_more_batch_axis(lift));
}

AxisList gathered(NodeAxes& n) {
  const AxisList &x = n.operands[0], &indices = n.operands[1];
  const auto axis = static_cast<At>(n.op.axis()), batch = static_cast<At>(n.op.integer("batch"));
  for (At d = 0; d < batch; ++d)
    n.solver.same(x[static_cast<size_t>(d)], indices[static_cast<size_t>(d)]);
  AxisList result(x.begin(), x.begin() + axis);
  result.insert(result.end(), indices.begin() + batch, indices.end());
  result.insert(result.end(), x.begin() + axis + 1, x.end());
  return result;
}

void gather_axes(NodeAxes& n) { n.results = {gathered(n)}; }

void scatter_axes(NodeAxes& n) {
  n.solver.same(gathered(n), n.operands[2]);
  n.results = {n.operands[0]};
}

void slice_axes(NodeAxes& n) {
  AxisList result = n.operands[0];
  result[static_cast<size_t>(n.op.axis())] = n.new_dim("size");
  n.results = {result};
}

void update_axes(NodeAxes& n) {
  for (size_t d = 0; d < n.operands[0].size(); ++d)
    if (static_cast<int64_t>(d) != n.op.axis()) n.solver.same(n.operands[0][d], n.operands[1][d]);
  n.results = {n.operands[0]};
}

// Rows of a table at indices that are led; or each row of x looks itself up.
RowUse rows_of_gather(const Led& led) {
  const int64_t axis = led.op.axis(), batch = led.op.integer("batch");
  if (batch > 0) return led.leading == 1 ? all_led(led) : RowUse::mixed;
  if (led[0] && !led[1] && axis >= led.leading) return RowUse::row_wise;
  return plain(led.op) && led[1] && !led[0] ? RowUse::row_wise : RowUse::mixed;
}

RowUse rows_of_scatter(const Led& led) {
  if (led.op.integer("batch") > 0) return led.leading == 1 ? all_led(led) : RowUse::mixed;
  return plain(led.op) && led[1] && led[2] && !led[0] ? RowUse::summed : RowUse::mixed;
}

RowUse rows_of_slice(const Led& led) {
  return led.only({"x"}) && led.op.axis() >= led.leading ? RowUse::row_wise : RowUse::mixed;
}

RowUse rows_of_update(const Led& led) {
  return led[0] && led[1] && !led[2] && led.op.axis() >= led.leading ? RowUse::row_wise
                                                                     : RowUse::mixed;
}

bool both_zero(const OpView&, int, const Flags& zero) { return zero[0] && zero[1]; }

constexpr OpRules kRules[] = {
    {.op = &ops::dynamic_slice,
     .axes = slice_axes,
     .batching = {only_first_lifted, same_node},
     .rows = rows_of_slice,
     .keeps_zero = first_zero,
     .cost = Cost::moves,
     .range = Range::moved},
    {.op = &ops::gather,
     .axes = gather_axes,
     .batching = {can_batch_gather, batch_gather},
     .rows = rows_of_gather,
     .cost = Cost::looks_up,
     .range = Range::moved,
     .moves = Moves::first},
    {.op = &ops::scatter_add,
     .axes = scatter_axes,
     .batching = {can_batch_scatter, batch_scatter},
     .rows = rows_of_scatter,
     .adds_nothing = [](const OpView&, const Flags& zero) { return bool(zero[2]); },
     .range = Range::moved},
    {.op = &ops::update_slice,
     .axes = update_axes,
     .rows = rows_of_update,
     .keeps_zero = both_zero,
     .range = Range::moved},
};

}  // namespace

std::span<const OpRules> gather() { return kRules; }

}  // namespace weft::ir::rules
