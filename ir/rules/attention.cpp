// ir/rules/attention.cpp -- the steps of single queries become the queries of one attention.
//
//   q_t: [B,...,D] for all t, k and v shared: [T,B,...,D] -> [B,...,T,D]; attention over it;
//   [B,...,T,E] -> [T,B,...,E]
//   masks and biases of one query, [B,S], become [B,1,S]; a step's position that of its query
// The adjoints of k, v, v_a and bias come out summed over the queries, so over the steps.
#include "ir/ops/all.h"
#include "ir/ops/attention_parts.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {
namespace {

// Of a batch, so that there is an axis for the steps to stand behind.
bool single_query(const OpView& op) {
  return ops::is_single_query(op) && op.operand("k").rank() > 2;
}

bool lifted_group(const OpView& op, const Flags& lifted, std::string_view name) {
  return op.has(name) && lifted[static_cast<size_t>(op.position(name))];
}

// A bias by distance has an axis less than what else is added to the scores.
bool bias_stays(const OpView& op, const Flags& lifted) {
  return !op.flag("by_distance") || !lifted_group(op, lifted, "bias");
}

bool keys_shared(const OpView& op, const Flags& lifted) {
  for (const std::string_view name : {"k", "v", "v_a", "mask", "bias", "step", "rows"})
    if (lifted_group(op, lifted, name)) return false;
  // Steps that draw the same weights would need one position for all queries.
  return !ops::has_dropout(op) || lifted_group(op, lifted, "position");
}

// Keys that differ by step: the steps are one more leading axis of everything.
bool all_rows_lifted(const OpView& op, const Flags& lifted,
                     std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (op.has(name) && !lifted_group(op, lifted, name)) return false;
  return !lifted_group(op, lifted, "v_a") && !ops::has_dropout(op) && bias_stays(op, lifted);
}

int leading(const OpView& op) { return op.operand("k").rank() - 2; }

// The first axis behind the next `axes`, and back.
Value steps_behind(Builder& b, Value x, int axes) {
  Integers perm;
  for (int i = 0; i < b.type(x).rank(); ++i) perm.push_back(i < axes ? i + 1 : i == axes ? 0 : i);
  return b.transpose(x, perm);
}
Value steps_first(Builder& b, Value x, int axes) {
  Integers perm{axes};
  for (int i = 0; i < b.type(x).rank(); ++i)
    if (i != axes) perm.push_back(i);
  return b.transpose(x, perm);
}

// What broadcasts to [B,S] made to broadcast to [B,T,S].
Value for_all_queries(Builder& b, Value x) {
  Shape s = b.type(x).shape;
  if (s.size() < 2) return x;
  s.insert(s.end() - 1, Dim(1));
  return b.reshape(x, s);
}

// Axes of the scores, which have one more now.
Integers folded_axes(const OpView& op) {
  Integers axes = op.integers("inner_axes");
  for (int64_t& axis : axes)
    if (axis < -1) --axis;
  return axes;
}

// All steps' queries at once. A band stays away: it needs queries with an axis of their own.
ops::AttentionParts folded(const Lift& lift) {
  const OpView& op = lift.op;
  ops::AttentionParts parts(op, lift.operands);
  for (const std::string_view name : {"q", "do", "o", "lse", "dweights", "dlse"})
    if (parts.has(name))
      parts[name] = steps_behind(lift.builder, lift.each(op.position(name)), leading(op));
  for (const std::string_view name : {"mask", "bias"})
    if (parts.has(name)) parts[name] = for_all_queries(lift.builder, parts[name]);
  if (const Integers axes = folded_axes(op); !axes.empty()) parts.attrs.set("inner_axes", axes);
  return parts;
}

bool can_batch(const OpView& op, const Flags& lifted, const Wants& wants) {
  if (!only_each(op, lifted, wants)) return false;
  return (single_query(op) && keys_shared(op, lifted)) ||
         all_rows_lifted(op, lifted, {"q", "k", "v"});
}

Values batch(const Lift& lift, const Wants&) {
  if (!keys_shared(lift.op, lift.lifted)) return lift.emit(lift.operands);
  Values results = folded(lift).emit(lift.builder, ops::attention);
  for (Value& r : results) r = steps_first(lift.builder, r, leading(lift.op));
  return results;
}

bool can_batch_grad(const OpView& op, const Flags& lifted, const Wants& wants) {
  const Texts& wanted = op.texts("wanted");
  if (single_query(op) && keys_shared(op, lifted)) {
    for (size_t i = 0; i < wanted.size(); ++i)
      if (wants[i] == (wanted[i] == "q" ? Want::sum : Want::each)) return false;
    // A bias of its own for each step cannot come out summed.
    return true;
  }
  if (!only_each(op, lifted, wants)) return false;
  for (size_t i = 0; i < wanted.size(); ++i)
    if (wants[i] == Want::each && (wanted[i] == "v_a" || wanted[i] == "bias")) return false;
  return all_rows_lifted(op, lifted, {"do", "q", "k", "v", "o", "lse", "dweights", "dlse"});
}

Values batch_grad(const Lift& lift, const Wants& wants) {
  if (!keys_shared(lift.op, lift.lifted)) return lift.emit(lift.operands);
  const Texts& names = lift.op.texts("wanted");
  Texts wanted;
  for (size_t i = 0; i < names.size(); ++i)
    if (wants[i] != Want::nothing) wanted.push_back(names[i]);
  ops::AttentionParts parts = folded(lift);
  parts.attrs.set("wanted", wanted);
  const Values made = parts.emit(lift.builder, ops::attention_grad);
  Values results(names.size());
  size_t at = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    if (wants[i] == Want::nothing) continue;
    results[i] = names[i] == "q"
                     ? steps_first(lift.builder, made[at], leading(lift.op))
                     : lift.builder.reshape(made[at], lift.op.result(static_cast<int>(i)).shape);
    ++at;
  }
  return results;
}

// [...,Tq,S], or by distance [...,Tq+S-1].
AxisList of_bias(NodeAxes& n, AxisList scores) {
  if (!n.op.flag("by_distance")) return scores;
  AxisSolver& s = n.solver;
  const Axis keys = scores.back();
  scores.pop_back();
  scores.back() = s.made(s.term(scores.back()) + s.term(keys) - Dim(1),
                         s.size(scores.back()) + s.size(keys) - Dim(1));
  return scores;
}

// Mask, bias, what dropout reads.
void around_scores(NodeAxes& n, const AxisList& scores, bool has_queries) {
  if (n.has("mask")) n.broadcasts_to(n.operand("mask"), scores);
  if (n.has("bias")) n.broadcasts_to(n.operand("bias"), of_bias(n, scores));
  if (n.has("dweights")) n.solver.same(n.operand("dweights"), scores);
  if (n.has("rows")) n.solver.same(n.operand("rows")[0], scores[0]);
  if (has_queries && n.has("position") && !n.operand("position").empty())
    n.solver.same(n.operand("position")[0], scores[scores.size() - 2]);
}

void axes(NodeAxes& n) {
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
    if (n.has("dlse")) s.same(n.operand("dlse"), of_queries);
    return n.results_of_wanted();
  }
  n.results = {o};
  if (n.op.flag("weights")) n.results.push_back(scores);
  if (n.op.flag("lse")) n.results.push_back(of_queries);
}

void packed_axes(NodeAxes& n) {
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

// Batches of queries, keys and values; not the queries of one batch.
bool is_batched(const Led& led) {
  const OpView& op = led.op;
  const TensorType &q = op.operand("q"), &k = op.operand("k");
  if (led.leading != 1 || k.rank() < 3 || led("v_a") || led("position")) return false;
  if (led("bias") && op.flag("by_distance")) return false;
  for (const std::string_view scores : {"mask", "bias", "dweights"})
    if (led(scores) && op.operand(scores).rank() != q.rank()) return false;
  return (led("q") || led("do")) && q.rank() + 1 >= k.rank();
}

RowUse rows_of(const Led& led) { return is_batched(led) ? RowUse::row_wise : RowUse::mixed; }

RowUse rows_of_grad(const Led& led) {
  for (const std::string& name : led.op.texts("wanted"))
    if (name != "q" && name != "k" && name != "v") return RowUse::mixed;
  return rows_of(led);
}

// The adjoint of v_a is a sum over rows; that of a bias, of any shape.
std::optional<Flags> moved_grad(const Led& led) {
  if (!is_batched(led) || led.wants("bias")) return std::nullopt;
  Flags rows;
  for (const std::string& name : led.op.texts("wanted")) rows.push_back(name != "v_a");
  return rows;
}

// Nothing is asked for: neither of the result, the weights nor the log-sum-exp.
bool silent(const OpView& op, const Flags& zero) {
  const auto is_zero = [&](std::string_view name) {
    return op.def().operand_index(name) < 0 || !op.has(name) ||
           zero[static_cast<size_t>(op.position(name))];
  };
  return zero[0] && is_zero("dweights") && is_zero("dlse");
}

// It computes in f32: what is gained is that half as much is kept for its adjoint, and read.
std::string_view held_back(const OpView& op, bool in_loop) {
  const bool adjoint = op.def().operand_index("do") >= 0;
  if (!adjoint && !op.flag("lse")) return "has no adjoint that what it reads is kept for";
  const bool step = in_loop || ops::is_single_query(op);
  return step && !ops::is_additive(op) ? "would read all keys to make f32 of them in every step"
                                       : "";
}

constexpr Bf16Operands kBf16{.factors = {"q", "k", "v", "o"}, .held_back = held_back};

// Within a loop its adjoint stays f32; what a step leaves to it need not.
constexpr Bf16Operands kBf16OfAdjoint{
    .factors = kBf16.factors, .held_back = held_back, .saved = {"q", "o"}};

constexpr OpRules kRules[] = {
    {.op = &ops::attention,
     .axes = axes,
     .batching = {can_batch, batch},
     .rows = rows_of,
     .bf16 = kBf16},
    {.op = &ops::attention_grad,
     .axes = axes,
     .batching = {can_batch_grad, batch_grad},
     .rows = rows_of_grad,
     .moved = moved_grad,
     .keeps_zero = [](const OpView& op, int, const Flags& zero) { return silent(op, zero); },
     .adds_nothing = silent,
     .range = Range::adjoint,
     .bf16 = kBf16OfAdjoint},
    {.op = &ops::packed_attention,
     .axes = packed_axes,
     .stays_whole = "its rows are those of sequences, which it reads by their lengths",
     .bf16 = kBf16},
    {.op = &ops::packed_attention_grad,
     .axes = packed_axes,
     .stays_whole = "its rows are those of sequences, which it reads by their lengths",
     .bf16 = kBf16},
};

}  // namespace

std::span<const OpRules> attention() { return kRules; }

}  // namespace weft::ir::rules
