// ir/passes/loops/lifted_values.cpp -- values of a loop's body as they are outside of it.
#include "ir/passes/loops/lifted_values.h"

#include "ir/check.h"

#include <algorithm>

namespace weft::ir {
namespace {

size_t at(Value v) { return static_cast<size_t>(v.id); }

// Moves axis `axis` of x to the front.
Value to_front(Builder& b, Value x, int64_t axis) {
  if (axis == 0) return x;
  Integers perm{axis};
  for (int64_t d = 0; d < b.type(x).rank(); ++d)
    if (d != axis) perm.push_back(d);
  return b.transpose(x, perm);
}

}  // namespace

Value LiftedValues::live_mask() {
  if (!live_.valid()) {
    const Value m = builder().emit(ops::length_mask, {{operand("lengths", 0)}},
                                   {{"size", places_.parts.steps}});
    live_ = builder().transpose(m, {1, 0});
  }
  return live_;
}

Value LiftedValues::zero_ended(Value x) {
  Builder& b = builder();
  Shape shape = b.type(live_mask()).shape;
  while (static_cast<int>(shape.size()) < b.type(x).rank()) shape.emplace_back(1);
  const DType dtype = b.type(x).dtype;
  if (dtype == DType::pred) return b.emit(ops::logical_and, {{b.reshape(live_mask(), shape)}, {x}});
  return b.select(b.reshape(live_mask(), shape), x, b.scalar(0, dtype));
}

LiftedValues::Lifted LiftedValues::argument(Value v) {
  const ops::ScanParts& parts = places_.parts;
  const int k = places_.body.argument_index(v) - parts.carries;
  WEFT_CHECK(k >= 0);  // a carry is known where it is stacked
  if (k < parts.scanned)
    return {to_front(builder(), operand("scanned", k), parts.axes[static_cast<size_t>(k)]), true,
            false};
  if (k < parts.scanned + parts.invariants)
    return {operand("invariants", k - parts.scanned), false, false};
  return {live_mask(), true, true};
}

LiftedValues::Lifted LiftedValues::operator()(Value v) {
  if (const auto it = known_.find(v.id); it != known_.end()) return it->second;
  const Node* p = places_.body.producer(v);
  if (p == nullptr) return known_[v.id] = argument(v);
  if (is_trivial(*p)) {
    builder().from = p->from;
    return known_[v.id] = {builder().emit(*p->op, {}, p->attrs), false, false};
  }
  WEFT_CHECK(places_.place_of(v) != Place::loop || places_.is_mask(v));
  emit(*p);
  return known_.at(v.id);
}

void LiftedValues::found(const Values& stacks, const Values& results) {
  for (size_t i = 0; i < stacks.size(); ++i)
    known_[stacks[i].id] = {results[i], true, places_.parts.has_lengths};
}

Lift LiftedValues::lift_of(const Node& node) {
  Values operands;
  Flags lifted;
  for (const Value v : node.operands) {
    const Lifted o = (*this)(v);
    operands.push_back(o.value);
    lifted.push_back(o.lifted);
  }
  builder().from = node.from;
  return {OpView(places_.body, node), builder(), places_.parts.steps, operands, lifted};
}

void LiftedValues::emit(const Node& node) {
  const Lift lift = lift_of(node);
  const bool any = std::find(lift.lifted.begin(), lift.lifted.end(), true) != lift.lifted.end();
  Values made;
  if (!any) {  // hoisted
    OperandGroups groups;
    size_t k = 0;
    for (const int n : node.group_sizes) {
      groups.emplace_back();
      for (int i = 0; i < n; ++i) groups.back().push_back(lift.operands[k++]);
    }
    made = builder().emit_all(*node.op, groups, node.attrs, node.regions);
  } else {
    const bool all = places_.place_of(node.results[0]) != Place::after;
    made = batching_rule(*node.op)->emit(
        lift, all ? Wants(node.results.size(), Want::each) : places_.each_wants(node));
  }
  for (size_t r = 0; r < node.results.size(); ++r)
    if (made[r].valid()) {
      name_like(made[r], node.results[r]);
      known_[node.results[r].id] = {made[r], any, any && zero_outside(node, static_cast<int>(r))};
    }
}

void LiftedValues::name_like(Value outside, Value of_body) {
  if (builder().graph().info(outside).name.empty())
    builder().graph().set_name(outside, places_.body.info(of_body).name);
}

// Are the ended rows of a node done outside zero, given which of its operands are?
bool LiftedValues::zero_outside(const Node& node, int result) {
  if (!places_.parts.has_lengths) return false;
  const Graph& body = places_.body;
  Graph one;  // the node alone, its operands as arguments: the analysis of the body serves
  Values operands, zeros;
  for (const Value v : node.operands) {
    const Node* p = body.producer(v);
    if (p != nullptr && is_trivial(*p)) {
      operands.push_back(one.add_copy(body, *p, {})[static_cast<size_t>(body.info(v).index)]);
      continue;
    }
    operands.push_back(one.add_argument(body.type(v), {}));
    if (known_.at(v.id).zero) zeros.push_back(operands.back());
  }
  const Values made = one.add_copy(body, node, operands);
  return ended_rows(one, places_.batch, {}, zeros).zero[at(made[static_cast<size_t>(result)])];
}

}  // namespace weft::ir
