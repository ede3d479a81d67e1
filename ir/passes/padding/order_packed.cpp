// ir/passes/padding/order_packed.cpp -- packed rows are stored in the order in which loops
// read them.
#include "ir/passes/padding/order_packed.h"

#include "ir/ops/all.h"
#include "ir/rewrite/rewrite.h"
#include "ir/rules/distinct_axes.h"
#include "ir/rules/row_use.h"

#include <algorithm>
#include <map>

namespace weft::ir {
namespace {

constexpr std::string_view kName = "order_packed";

size_t at(Value v) { return static_cast<size_t>(v.id); }

bool packs_steps(const Graph& g, const Node& node, Value lengths) {
  return (node.op == &ops::pack || node.op == &ops::unpack) && node.operands[1] == lengths &&
         !OpView(g, node).flag("by_sequence");
}

// May the rows packed within `lengths` stand in any order?
bool any_order_will_do(const Graph& g, Value lengths) {
  std::vector<bool> led(static_cast<size_t>(g.value_count()));
  bool any = false;
  for (const Node& node : g.nodes()) {
    const OpView op(g, node);
    if (packs_steps(g, node, lengths)) {
      if (node.op == &ops::unpack && !led[at(node.operands[0])]) return false;
      if (node.op == &ops::pack) any = led[at(node.results[0])] = true;
      continue;
    }
    std::vector<bool> flags;
    Dim rows;
    for (const Value v : node.operands) {
      flags.push_back(led[at(v)]);
      if (flags.back()) rows = g.type(v).dim(0);
    }
    if (std::find(flags.begin(), flags.end(), true) == flags.end()) continue;
    if (!node.regions.empty()) return false;
    for (size_t i = 0; i < flags.size(); ++i) {
      const Shape& shape = g.type(node.operands[i]).shape;
      if (!flags[i] && !is_uniform(g, node.operands[i]) &&
          std::find(shape.begin(), shape.end(), rows) != shape.end())
        return false;
    }
    const auto moved = moved_results(op, flags, 1);
    if (!moved) return false;
    for (size_t r = 0; r < node.results.size(); ++r) led[at(node.results[r])] = (*moved)[r];
  }
  return any && std::none_of(g.outputs().begin(), g.outputs().end(),
                             [&](const Output& o) { return led[at(o.value)]; });
}

class Ordering {
 public:
  explicit Ordering(const Graph& g) : g_(g), r_(g) {
    for (const Node& node : g.nodes())
      if (node.op == &ops::length_order && any_order_will_do(g, node.operands[0]))
        orders_.try_emplace(node.operands[0], Order{node.results[0], node.results[1]});
  }

  bool empty() const { return orders_.empty(); }
  size_t count() const { return orders_.size(); }

  Graph run() {
    for (const Node& node : g_.nodes())
      if (!(move_up(node) || put_in_order(node))) r_.copy(node);
    return r_.finish();
  }

 private:
  struct Order {
    Value order, places;                                 // old
    Value new_order = {}, new_places = {}, sorted = {};  // new; the lengths
  };

  Builder& build() { return r_.builder; }
  Value gather(Value x, Value indices) {
    return build().emit(ops::gather, {{x}, {indices}}, {{"axis", int64_t{0}}});
  }

  // The order is known before anything is packed.
  const Order& ready(Value lengths, const Node& node) {
    Order& o = orders_.at(lengths);
    if (!o.sorted.valid()) {
      r_.at(node);
      const Values made = build().emit_all(ops::length_order, {{r_(lengths)}});
      o.new_order = made[0];
      o.new_places = made[1];
      o.sorted = gather(r_(lengths), made[0]);
    }
    return o;
  }

  bool move_up(const Node& node) {
    const auto found = node.operands.empty() ? orders_.end() : orders_.find(node.operands[0]);
    if (found == orders_.end()) return false;
    if (node.op == &ops::length_order) {
      const Order& o = ready(found->first, node);
      r_.replace(node.results[0], o.new_order);
      r_.replace(node.results[1], o.new_places);
      return true;
    }
    if (node.op != &ops::gather || node.operands[1] != found->second.order) return false;
    r_.replace(node.results[0], ready(found->first, node).sorted);
    return true;
  }

  bool put_in_order(const Node& node) {
    if (node.operands.size() < 2 || orders_.count(node.operands[1]) == 0 ||
        !packs_steps(g_, node, node.operands[1]))
      return false;
    const Order& o = ready(node.operands[1], node);
    r_.at(node);
    OperandGroups groups{{r_(node.operands[0])}, {o.sorted}, {}};
    if (node.operands.size() == 2)
      groups[2] = {o.new_order};
    else if (node.operands[2] != o.places)
      groups[2] = {gather(r_(node.operands[2]), o.new_order)};
    r_.replace(node.results[0], build().emit(*node.op, groups, node.attrs));
    return true;
  }

  const Graph& g_;
  Rewriter r_;
  std::map<Value, Order> orders_;  // by old lengths
};

Graph of_distinct(const Graph& graph, PassContext& context) {
  Ordering ordering(graph);
  if (ordering.empty()) return graph;
  Graph out = ordering.run();
  context.done(kName,
               concat(ordering.count(), " kinds of packed rows stand in the order of loops"));
  return out;
}

}  // namespace

Graph order_packed(const Graph& graph, PassContext& context) {
  if (!contains(graph, ops::length_order)) return graph;
  return by_rows(
      graph, [&](const Graph& g) { return of_distinct(g, context); },
      [&] { context.near_miss(kName, std::string(kRowsUnknown)); });
}

}  // namespace weft::ir
