// ir/rules/attention.cpp -- the steps of single queries become the queries of one attention.
//
//   q_t: [B,...,D] for all t, k and v shared: [T,B,...,D] -> [B,...,T,D]; attention over it;
//   [B,...,T,E] -> [T,B,...,E]
//   masks and biases of one query, [B,S], become [B,1,S]; a step's position that of its query
// The adjoints of k, v, v_a and bias come out summed over the queries, so over the steps.
#include "ir/ops/attention_parts.h"
#include "ir/rules/table.h"

namespace weft::ir::batching {
namespace {

// Of a batch, so that there is an axis for the steps to stand behind.
bool single_query(const OpView& op) {
  return ops::is_single_query(op) && op.operand("k").rank() > 2;
}

bool lifted_group(const OpView& op, const Flags& lifted, std::string_view name) {
  return op.has(name) && lifted[static_cast<size_t>(op.position(name))];
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
  return !lifted_group(op, lifted, "v_a") && !ops::has_dropout(op);
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
  for (const std::string_view name : {"q", "do", "o", "lse", "dweights"})
    if (parts.has(name))
      parts[name] = steps_behind(lift.builder, lift.each(op.position(name)), leading(op));
  for (const std::string_view name : {"mask", "bias"})
    if (parts.has(name)) parts[name] = for_all_queries(lift.builder, parts[name]);
  if (const Integers axes = folded_axes(op); !axes.empty()) parts.attrs.set("inner_axes", axes);
  return parts;
}

}  // namespace

bool can_attention(const OpView& op, const Flags& lifted, const Wants& wants) {
  if (!only_each(op, lifted, wants)) return false;
  return (single_query(op) && keys_shared(op, lifted)) ||
         all_rows_lifted(op, lifted, {"q", "k", "v"});
}

Values attention(const Lift& lift, const Wants& wants) {
  if (!keys_shared(lift.op, lift.lifted)) return lift.emit(lift.operands);
  Values results = folded(lift).emit(lift.builder, ops::attention);
  for (Value& r : results) r = steps_first(lift.builder, r, leading(lift.op));
  return results;
}

bool can_attention_grad(const OpView& op, const Flags& lifted, const Wants& wants) {
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
  return all_rows_lifted(op, lifted, {"do", "q", "k", "v", "o", "lse", "dweights"});
}

Values attention_grad(const Lift& lift, const Wants& wants) {
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

}  // namespace weft::ir::batching
