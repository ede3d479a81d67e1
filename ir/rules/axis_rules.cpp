// ir/rules/axis_rules.cpp -- the roles of operands' axes, op by op, in the families of ir/ops.
#include "ir/ops/all.h"
#include "ir/rules/axes.h"

#include <algorithm>
#include <unordered_map>

namespace weft::ir {
namespace {

using At = std::ptrdiff_t;

// ---- elementwise, and what keeps the type of its first operand

void elementwise(NodeAxes& n) { n.results = {n.broadcast(n.operands)}; }

void as_first(NodeAxes& n) { n.results = {n.operands[0]}; }

void all_alike(NodeAxes& n) {
  for (size_t i = 1; i < n.operands.size(); ++i) n.solver.same(n.operands[0], n.operands[i]);
  n.results.assign(n.op.node().results.size(), n.operands[0]);
}

// ---- shape

void broadcast(NodeAxes& n) {
  const AxisList to = n.new_shape("shape");
  n.broadcasts_to(n.operands[0], to);
  n.results = {to};
}

void concat(NodeAxes& n) {
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

void constant(NodeAxes& n) {
  AxisList shape;
  if (n.op.reals("values").size() == 1)
    shape = n.new_shape("shape");
  else
    for (const Dim& d : n.op.shape("shape")) shape.push_back(n.solver.fixed(d));
  n.results = {shape};
}

void dim_size(NodeAxes& n) { n.results = {{}}; }

void iota(NodeAxes& n) { n.results = {n.new_shape("shape")}; }

void pad(NodeAxes& n) {
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

void reshape(NodeAxes& n) {
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

void same_dim(NodeAxes& n) {
  AxisList result = n.operands[0];
  Axis& a = result[static_cast<size_t>(n.op.axis())];
  const Axis to = n.new_dim("size");
  if (n.solver.size(a) == n.solver.size(to)) n.solver.same(a, to);
  a = to;
  n.results = {result};
}

void slice(NodeAxes& n) {
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

void transpose(NodeAxes& n) {
  AxisList result;
  for (const int64_t p : n.op.integers("perm"))
    result.push_back(n.operands[0][static_cast<size_t>(p)]);
  n.results = {result};
}

// ---- reduce

void reduction(NodeAxes& n) {
  const std::vector<int64_t> axes = n.op.axes();
  AxisList result;
  for (size_t d = 0; d < n.operands[0].size(); ++d)
    if (std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) == axes.end())
      result.push_back(n.operands[0][d]);
    else if (n.op.flag("keep"))
      result.push_back(n.solver.fixed(1));
  n.results = {result};
}

void without_axis(NodeAxes& n) {
  AxisList result = n.operands[0];
  result.erase(result.begin() + n.op.axis());
  n.results = {result};
}

// ---- gather

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

void gather(NodeAxes& n) { n.results = {gathered(n)}; }

void scatter_add(NodeAxes& n) {
  n.solver.same(gathered(n), n.operands[2]);
  n.results = {n.operands[0]};
}

void dynamic_slice(NodeAxes& n) {
  AxisList result = n.operands[0];
  result[static_cast<size_t>(n.op.axis())] = n.new_dim("size");
  n.results = {result};
}

void update_slice(NodeAxes& n) {
  for (size_t d = 0; d < n.operands[0].size(); ++d)
    if (static_cast<int64_t>(d) != n.op.axis()) n.solver.same(n.operands[0][d], n.operands[1][d]);
  n.results = {n.operands[0]};
}

// ---- matmul

void matmul(NodeAxes& n) {
  AxisList a = n.operands[0], b = n.operands[1];
  const auto split = [](AxisList& x, bool transposed) {  // leading axes, rows, columns
    const std::pair<Axis, Axis> last{x[x.size() - 2], x[x.size() - 1]};
    x.resize(x.size() - 2);
    return transposed ? std::pair{last.second, last.first} : last;
  };
  const auto [m, k] = split(a, n.op.flag("transpose_a"));
  const auto [k2, columns] = split(b, n.op.flag("transpose_b"));
  n.solver.same(k, k2);
  AxisList result = n.broadcast({a, b});
  result.insert(result.end(), {m, columns});
  n.results = {result};
}

void linear(NodeAxes& n) {
  n.sign(n.op.flag("transpose_b") ? "x:*k w:nk bias:n residual:*n -> *n"
                                  : "x:*k w:kn bias:n residual:*n -> *n");
}

void linear_cross_entropy(NodeAxes& n) {
  n.sign(n.op.flag("transpose_b") ? "dloss:* x:*k w:vk labels:* bias:v weights:* -> * wanted"
                                  : "dloss:* x:*k w:kv labels:* bias:v weights:* -> * wanted");
}

// ---- attention

// Mask, bias, what dropout reads.
void around_scores(NodeAxes& n, const AxisList& scores, bool has_queries) {
  for (const std::string_view name : {"mask", "bias"})
    if (n.has(name)) n.broadcasts_to(n.operand(name), scores);
  if (n.has("dweights")) n.solver.same(n.operand("dweights"), scores);
  if (n.has("rows")) n.solver.same(n.operand("rows")[0], scores[0]);
  if (has_queries && n.has("position") && !n.operand("position").empty())
    n.solver.same(n.operand("position")[0], scores[scores.size() - 2]);
}

void attention(NodeAxes& n) {
  AxisSolver& s = n.solver;
  const AxisList &q = n.operand("q"), &k = n.operand("k"), &v = n.operand("v");
  const size_t leading = k.size() - 2;
  for (size_t d = 0; d < leading; ++d) s.same(q[d], k[d]), s.same(k[d], v[d]);
  s.same(q.back(), k.back());
  s.same(k[leading], v[leading]);
  if (n.has("v_a")) s.same(n.operand("v_a")[0], q.back());
  AxisList scores = q, o = q;  // [...,Tq,S] or [...,S]
  const AxisList of_queries(q.begin(), q.end() - 1);
  scores.back() = k[leading];
  o.back() = v.back();
  around_scores(n, scores, q.size() == k.size());
  if (&n.op.def() == &ops::attention_grad) {
    s.same(n.operand("do"), o);
    s.same(n.operand("o"), o);
    s.same(n.operand("lse"), of_queries);
    return n.results_of_wanted();
  }
  n.results = {o};
  if (n.op.flag("weights")) n.results.push_back(scores);
  if (n.op.flag("lse")) n.results.push_back(of_queries);
}

void packed_attention(NodeAxes& n) {
  AxisSolver& s = n.solver;
  const AxisList &q = n.operand("q"), &k = n.operand("k"), &v = n.operand("v");
  const Axis batch = n.operand("q_lengths")[0], queries = n.new_dim("queries"),
             keys = n.new_dim("keys");
  const auto rows = [&](Axis steps) {
    return s.made(s.term(batch) * s.term(steps), s.size(batch) * s.size(steps));
  };
  s.same(batch, n.operand("k_lengths")[0]);
  s.same(q[0], rows(queries));
  s.same(k[0], rows(keys));
  s.same(k[0], v[0]);
  s.same(q[1], k[1]);
  s.same(k[1], v[1]);
  s.same(q[2], k[2]);
  around_scores(n, {batch, q[1], queries, keys}, true);
  const AxisList o{q[0], q[1], v[2]}, lse{q[0], q[1]};
  if (&n.op.def() == &ops::packed_attention_grad) {
    s.same(n.operand("do"), o);
    s.same(n.operand("o"), o);
    s.same(n.operand("lse"), lse);
    return n.results_of_wanted();
  }
  n.results = {o};
  if (n.op.flag("lse")) n.results.push_back(lse);
}

// ---- convolution, pool

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

void conv(NodeAxes& n) {
  const AxisList &x = n.operand("x"), &w = n.operand("w");
  for (size_t i = 0; i + 2 < w.size(); ++i) n.solver.fix(w[i]);
  n.solver.same(x.back(), of_groups(n, w[w.size() - 2]));
  if (n.has("bias")) n.solver.same(n.operand("bias")[0], w.back());
  cut_into_groups(n, w.back());
  const ops::Window window = ops::window_of(n.op, window_sizes(n.op.operand("w")));
  n.results = {axes_around(x[0], positions(n, window, axes_between(x)), w.back())};
}

void conv_input_grad(NodeAxes& n) {
  const AxisList &dy = n.operand("dy"), &w = n.operand("w");
  for (size_t i = 0; i + 2 < w.size(); ++i) n.solver.fix(w[i]);
  n.solver.same(dy.back(), w.back());
  cut_into_groups(n, w.back());
  const AxisList size = n.new_shape("size");
  const ops::Window window = ops::window_of(n.op, window_sizes(n.op.operand("w")));
  n.solver.same(axes_between(dy), positions(n, window, size));
  n.results = {axes_around(dy[0], size, of_groups(n, w[w.size() - 2]))};
}

void conv_weight_grad(NodeAxes& n) {
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

void pool(NodeAxes& n) {
  const AxisList& x = n.operands[0];
  const ops::Window window = ops::window_of(n.op, ops::pool_window(n.op));
  n.results.assign(n.op.node().results.size(),
                   axes_around(x[0], positions(n, window, axes_between(x)), x.back()));
}

void pool_grad(NodeAxes& n) {
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

void two_as_first(NodeAxes& n) { n.results = {n.operands[0], n.operands[0]}; }

// ---- pack, random

void pack(NodeAxes& n) {
  AxisSolver& s = n.solver;
  const AxisList& x = n.operands[0];
  s.same(x[n.op.flag("by_sequence") ? 0 : 1], n.operand("lengths")[0]);
  if (n.has("places")) s.same(n.operand("places"), n.operand("lengths"));
  AxisList result{s.made(s.term(x[0]) * s.term(x[1]), s.size(x[0]) * s.size(x[1]))};
  result.insert(result.end(), x.begin() + 2, x.end());
  n.results = {result};
}

void unpack(NodeAxes& n) {
  AxisSolver& s = n.solver;
  const AxisList& p = n.operands[0];
  const Axis batch = n.operand("lengths")[0], steps = n.new_dim("steps");
  if (n.has("places")) s.same(n.operand("places"), n.operand("lengths"));
  s.same(p[0], s.made(s.term(batch) * s.term(steps), s.size(batch) * s.size(steps)));
  AxisList result{steps, batch};
  if (n.op.flag("by_sequence")) std::swap(result[0], result[1]);
  result.insert(result.end(), p.begin() + 1, p.end());
  n.results = {result};
}

void random(NodeAxes& n) {
  AxisList result;
  if (n.has("position")) result = n.operand("position");
  result.push_back(n.operand("rows")[0]);
  const AxisList inner = n.new_shape("inner");
  result.insert(result.end(), inner.begin(), inner.end());
  n.results = {result};
}

// ---- optimizer

// p, g and states go together; results are p and the states.
void update(NodeAxes& n) {
  const auto count = static_cast<size_t>(n.op.count("p"));
  for (size_t i = 0; i < n.op.node().results.size(); ++i) {
    for (size_t group = 1; group < 4; ++group)
      n.solver.same(n.operands[i % count], n.operands[group * count + i % count]);
    n.results.push_back(n.operands[i % count]);
  }
}

void scalar(NodeAxes& n) { n.results = {{}}; }

constexpr AxisRule kRules[] = {
    // attention
    {&ops::attention, nullptr, attention},
    {&ops::attention_grad, nullptr, attention},
    {&ops::packed_attention, nullptr, packed_attention},
    {&ops::packed_attention_grad, nullptr, packed_attention},
    // convolution
    {&ops::conv, nullptr, conv},
    {&ops::conv_input_grad, nullptr, conv_input_grad},
    {&ops::conv_weight_grad, nullptr, conv_weight_grad},
    // gather
    {&ops::dynamic_slice, nullptr, dynamic_slice},
    {&ops::gather, nullptr, gather},
    {&ops::scatter_add, nullptr, scatter_add},
    {&ops::update_slice, nullptr, update_slice},
    // loss
    {&ops::linear_cross_entropy, nullptr, linear_cross_entropy},
    {&ops::softmax_cross_entropy, "logits:*v labels:* weights:* -> * *"},
    {&ops::softmax_cross_entropy_grad, "logits:*v dloss:* labels:* lse:* weights:* -> *v"},
    // matmul
    {&ops::linear, nullptr, linear},
    {&ops::matmul, nullptr, matmul},
    // norm
    {&ops::layer_norm, "x:*d scale:d shift:d -> *d * *"},
    {&ops::layer_norm_grad, "dy:*d x:*d mean:* rstd:* scale:d shift:d -> wanted"},
    {&ops::rms_norm, "x:*d scale:d -> *d *"},
    {&ops::rms_norm_grad, "dy:*d x:*d rstd:* scale:d -> wanted"},
    // optimizer
    {&ops::adadelta_update, nullptr, update},
    {&ops::adam_update, nullptr, update},
    {&ops::squared_norm, nullptr, scalar},
    // pack
    {&ops::length_order, "lengths:b -> b b"},
    {&ops::pack, nullptr, pack},
    {&ops::unpack, nullptr, unpack},
    // pool
    {&ops::avg_pool, nullptr, pool},
    {&ops::avg_pool_grad, nullptr, pool_grad},
    {&ops::max_pool, nullptr, pool},
    {&ops::max_pool_grad, nullptr, pool_grad},
    // random
    {&ops::random, nullptr, random},
    // recurrent
    {&ops::gru_cell, "s:bh g:b3h U:h2h Un:hh bias_n:h -> bh b3h"},
    {&ops::gru_cell_grad, "ds1:bh s:bh gates:b3h U:h2h Un:hh bias_n:h -> b3h bh bh"},
    {&ops::lstm_cell, "h:bh g:b4h c:bh U:h4h -> bh bh b4h"},
    {&ops::lstm_cell_grad, "c:bh dh1:bh dc1:bh c1:bh gates:b4h U:h4h -> b4h bh bh"},
    // reduce
    {&ops::arg_max, nullptr, without_axis},
    {&ops::cumprod, nullptr, as_first},
    {&ops::cumsum, nullptr, as_first},
    {&ops::linear_recurrence, nullptr, all_alike},
    {&ops::max, nullptr, reduction},
    {&ops::mean, nullptr, reduction},
    {&ops::min, nullptr, reduction},
    {&ops::prod, nullptr, reduction},
    {&ops::sum, nullptr, reduction},
    // shape
    {&ops::broadcast, nullptr, broadcast},
    {&ops::concat, nullptr, concat},
    {&ops::constant, nullptr, constant},
    {&ops::dim_size, nullptr, dim_size},
    {&ops::iota, nullptr, iota},
    {&ops::length_mask, "lengths:* {size:s} -> *s"},
    {&ops::one_hot, "indices:* {size:s} -> *s"},
    {&ops::pad, nullptr, pad},
    {&ops::reshape, nullptr, reshape},
    {&ops::reverse, nullptr, as_first},
    {&ops::same_dim, nullptr, same_dim},
    {&ops::slice, nullptr, slice},
    {&ops::stop_gradient, nullptr, as_first},
    {&ops::transpose, nullptr, transpose},
    // softmax
    {&ops::log_softmax, nullptr, as_first},
    {&ops::softmax, nullptr, as_first},
    {&ops::softmax_grad, nullptr, all_alike},
    // sort
    {&ops::sort, nullptr, two_as_first},
    // top_k
    {&ops::log_softmax_top_k, "x:*n {k:k} -> *k *k"},
    {&ops::top_k, "x:*n {k:k} -> *k *k"},
};

constexpr AxisRule kElementwise{nullptr, nullptr, elementwise};

}  // namespace

const AxisRule* axis_rule(const OpDef& op) {
  static const std::unordered_map<const OpDef*, const AxisRule*> by_op = [] {
    std::unordered_map<const OpDef*, const AxisRule*> map;
    for (const AxisRule& rule : kRules) map[rule.op] = &rule;
    return map;
  }();
  const auto found = by_op.find(&op);
  if (found != by_op.end()) return found->second;
  return op.elementwise ? &kElementwise : nullptr;
}

}  // namespace weft::ir
