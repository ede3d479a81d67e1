// ir/rules/shape.cpp -- ops that name whole shapes or axes from the front.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {
namespace {

using At = std::ptrdiff_t;

Shape with_steps(const Lift& lift, Shape shape) {
  shape.insert(shape.begin(), lift.steps);
  return shape;
}

Values batch_broadcast(const Lift& lift, const Wants&) {
  const Shape& shape = lift.op.shape("shape");
  const Value x = lift.aligned(0, static_cast<int>(shape.size()));
  return {lift.builder.broadcast(x, with_steps(lift, shape))};
}

Values batch_reshape(const Lift& lift, const Wants&) {
  return {lift.builder.reshape(lift.operands[0], with_steps(lift, lift.op.shape("shape")))};
}

Values batch_transpose(const Lift& lift, const Wants&) {
  Integers perm{0};
  for (const int64_t p : lift.op.integers("perm")) perm.push_back(p + 1);
  return {lift.builder.transpose(lift.operands[0], perm)};
}

void broadcast_axes(NodeAxes& n) {
  const AxisList to = n.new_shape("shape");
  n.broadcasts_to(n.operands[0], to);
  n.results = {to};
}

void concat_axes(NodeAxes& n) {
  AxisList result = n.operands[0];
  const auto axis = static_cast<size_t>(n.op.axis());
  Dim sum, size;
  for (const AxisList& x : n.operands) {
    for (size_t d = 0; d < x.size(); ++d)
      if (d != axis) n.solver.same(result[d], x[d]);
    sum = sum + n.solver.term(x[axis]);
    size = size + n.solver.size(x[axis]);
  }
  result[axis] = n.solver.made(sum, size);
  n.results = {result};
}

void constant_axes(NodeAxes& n) {
  AxisList shape;
  if (n.op.reals("values").size() == 1)
    shape = n.new_shape("shape");
  else
    for (const Dim& d : n.op.shape("shape")) shape.push_back(n.solver.fixed(d));
  n.results = {shape};
}

void dim_size_axes(NodeAxes& n) { n.results = {{}}; }

void iota_axes(NodeAxes& n) { n.results = {n.new_shape("shape")}; }

void pad_axes(NodeAxes& n) {
  AxisList result = n.operands[0];
  Axis& a = result[static_cast<size_t>(n.op.axis())];
  const Dim more = n.op.dim("low") + n.op.dim("high");
  if (more != Dim(0)) a = n.solver.made(n.solver.term(a) + more, n.solver.size(a) + more);
  n.results = {result};
}

// The first axes of `from` and of `to` that have equally many elements, from (i,j) on.
std::pair<size_t, size_t> group_end(const Shape& from, size_t i, const Shape& to, size_t j) {
  Dim x = 1;
  for (size_t a = i; a <= from.size(); ++a) {
    if (a > i) x = x * from[a - 1];
    Dim y = 1;
    for (size_t b = j; b <= to.size(); ++b) {
      if (b > j) y = y * to[b - 1];
      if (a + b > i + j && x == y && (a > i) + (b > j) == 2) return {a, b};
    }
  }
  return {from.size(), to.size()};
}

// Axes [i,a) of x hold what axes [j,b) of the result do.
void same_elements(NodeAxes& n, const AxisList& x, const AxisList& y) {
  AxisSolver& s = n.solver;
  const auto product_of = [&](const AxisList& list) {
    Dim of = 1, size = 1;
    for (const Axis a : list) of = of * s.term(a), size = size * s.size(a);
    return s.made(of, size);
  };
  if (x.size() == 1 && y.size() == 1) {
    s.same(x[0], y[0]);
  } else if (x.size() == 1 || y.size() == 1) {
    s.same(x.size() == 1 ? x[0] : product_of(x), y.size() == 1 ? y[0] : product_of(y));
  } else {
    for (const AxisList* list : {&x, &y})
      for (const Axis a : *list) s.fix(a);
  }
}

void reshape_axes(NodeAxes& n) {
  const AxisList& x = n.operands[0];
  const AxisList y = n.new_shape("shape");
  n.results = {y};
  // Axes of size 1 come and go: they are literal ones unless they stay where they are.
  if (x.size() == y.size() && std::equal(x.begin(), x.end(), y.begin(), [&](Axis a, Axis b) {
        return n.solver.size(a) == n.solver.size(b);
      }))
    return n.solver.same(x, y);
  AxisList from, to;
  Shape from_sizes, to_sizes;
  const auto take = [&](const AxisList& list, AxisList& axes, Shape& sizes) {
    for (const Axis a : list) {
      if (n.solver.size(a).is(1)) {
        n.solver.fix(a);
        continue;
      }
      axes.push_back(a);
      sizes.push_back(n.solver.size(a));
    }
  };
  take(x, from, from_sizes);
  take(y, to, to_sizes);
  for (size_t i = 0, j = 0; i < from.size() || j < to.size();) {
    const auto [a, b] = group_end(from_sizes, i, to_sizes, j);
    same_elements(n, {from.begin() + static_cast<At>(i), from.begin() + static_cast<At>(a)},
                  {to.begin() + static_cast<At>(j), to.begin() + static_cast<At>(b)});
    i = a, j = b;
  }
}

void same_dim_axes(NodeAxes& n) {
  AxisList result = n.operands[0];
  Axis& a = result[static_cast<size_t>(n.op.axis())];
  const Axis to = n.new_dim("size");
  if (n.solver.size(a) == n.solver.size(to)) n.solver.same(a, to);
  a = to;
  n.results = {result};
}

void slice_axes(NodeAxes& n) {
  AxisSolver& s = n.solver;
  AxisList result = n.operands[0];
  Axis& a = result[static_cast<size_t>(n.op.axis())];
  const Dim &start = n.op.dim("start"), &stop = n.op.dim("stop"), size = s.size(a);
  if (n.op.integer("step") != 1) {
    s.fix(a);
    a = s.fixed(n.op.result().dim(n.op.axis()));
  } else if (start == Dim(0) && stop == size) {
    n.attrs.push_back({"stop", {a}});
  } else {
    const Axis part = s.fresh(stop - start);
    s.same(s.made(s.term(part) + start + (size - stop), size), a);
    n.attrs.push_back({"stop", {s.made(s.term(part) + start, stop)}});
    a = part;
  }
  n.results = {result};
}

void transpose_axes(NodeAxes& n) {
  AxisList result;
  for (const int64_t p : n.op.integers("perm"))
    result.push_back(n.operands[0][static_cast<size_t>(p)]);
  n.results = {result};
}

// Row-major: what keeps its leading sizes keeps its rows.
RowUse rows_of_reshape(const Led& led) {
  return led.same_rows(led.op.operand(0), led.op.result()) ? RowUse::row_wise : RowUse::mixed;
}

RowUse rows_of_broadcast(const Led& led) {
  return led.op.operand(0).rank() == led.op.result().rank() ? rows_of_reshape(led) : RowUse::mixed;
}

RowUse rows_of_transpose(const Led& led) {
  const Integers& perm = led.op.integers("perm");
  for (int i = 0; i < led.leading; ++i)
    if (perm[static_cast<size_t>(i)] != i) return RowUse::mixed;
  return RowUse::row_wise;
}

// Moves elements along `axis`.
constexpr OpRules moving(const OpDef& op, void (*axes)(NodeAxes&), Moves moves = Moves::first) {
  return {.op = &op,
          .axes = axes,
          .batching = {only_each, same_node},
          .rows = along_inner_axes,
          .cost = Cost::moves,
          .range = Range::moved,
          .moves = moves};
}

constexpr const char* kNoOperands = "has no operands";

constexpr OpRules kRules[] = {
    {.op = &ops::broadcast,
     .axes = broadcast_axes,
     .batching = {only_each, batch_broadcast},
     .rows = rows_of_broadcast,
     .cost = Cost::moves,
     .range = Range::moved,
     .moves = Moves::first},
    {.op = &ops::concat,
     .axes = concat_axes,
     .batching = {only_each, same_node_all_lifted},
     .rows = along_inner_axes,
     .cost = Cost::copies,
     .range = Range::moved,
     .moves = Moves::all},
    {.op = &ops::constant, .axes = constant_axes, .stays_whole = kNoOperands, .cost = Cost::moves},
    {.op = &ops::dim_size,
     .axes = dim_size_axes,
     .stays_whole = "reads no elements",
     .cost = Cost::moves},
    {.op = &ops::iota, .axes = iota_axes, .stays_whole = kNoOperands, .cost = Cost::moves},
    {.op = &ops::length_mask,
     .signature = "lengths:* {size:s} -> *s",
     .batching = {only_each, same_node},
     .rows = all_led,
     .cost = Cost::moves},
    {.op = &ops::one_hot,
     .signature = "indices:* {size:s} -> *s",
     .batching = {only_each, same_node},
     .rows = all_led,
     .cost = Cost::moves},
    moving(ops::pad, pad_axes, Moves::nothing),
    {.op = &ops::reshape,
     .axes = reshape_axes,
     .batching = {only_each, batch_reshape},
     .rows = rows_of_reshape,
     .cost = Cost::moves,
     .range = Range::moved,
     .moves = Moves::first},
    moving(ops::reverse, as_first),
    moving(ops::same_dim, same_dim_axes),
    moving(ops::slice, slice_axes),
    {.op = &ops::stop_gradient,
     .axes = as_first,
     .batching = {only_each, same_node},
     .rows = all_led,
     .cost = Cost::moves,
     .range = Range::moved},
    {.op = &ops::transpose,
     .axes = transpose_axes,
     .batching = {only_each, batch_transpose},
     .rows = rows_of_transpose,
     .cost = Cost::moves,
     .range = Range::moved,
     .moves = Moves::first},
};

}  // namespace

std::span<const OpRules> shape() { return kRules; }

}  // namespace weft::ir::rules
