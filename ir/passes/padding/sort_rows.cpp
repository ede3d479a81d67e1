// ir/passes/padding/sort_rows.cpp -- the rows of a loop are put in the order of their lengths.
#include "ir/passes/padding/sort_rows.h"

#include "ir/ops/all.h"
#include "ir/rewrite/rewrite.h"
#include "ir/rules/distinct_axes.h"
#include "ir/rules/op_rules.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace weft::ir {
namespace {

constexpr std::string_view kName = "sort_rows";

bool has_rows_at(const TensorType& t, int axis, const Dim& batch) {
  return t.rank() > axis && t.dim(axis) == batch;
}

bool mentions(const TensorType& t, const Dim& batch) {
  return std::find(t.shape.begin(), t.shape.end(), batch) != t.shape.end();
}

// A loop with lengths whose rows may stand in any order.
class Loop {
 public:
  Loop(const Graph& g, const Node& node)
      : op_(g, node), parts(op_), body_(node.regions[0]), batch(op_.operand("lengths").dim(0)) {
    led_.resize(static_cast<size_t>(body_.value_count()));
    for (size_t i = 0; i < body_.arguments().size(); ++i)
      set_led(body_.arguments()[i].value, argument_has_rows(static_cast<int>(i)));
  }

  bool may_be_sorted() {
    // A carry whose leading size is the batch's but which is not masked by lengths.
    for (int i = 0; i < parts.carries; ++i)
      if (!argument_has_rows(i) &&
          has_rows_at(body_.type(body_.arguments()[static_cast<size_t>(i)].value), 0, batch))
        return false;
    bool heavy = false;
    for (const Node& node : body_.nodes()) {
      if (!look_at(node)) return false;
      heavy |= cost_of(*node.op) == Cost::product;
    }
    for (size_t i = 0; i < body_.outputs().size(); ++i) {
      const Value v = body_.outputs()[i].value;
      if (!is_uniform(body_, v) && led(v) != output_has_rows(static_cast<int>(i))) return false;
    }
    return heavy;
  }

  bool argument_has_rows(int i) const {
    const TensorType& t = body_.type(body_.arguments()[static_cast<size_t>(i)].value);
    return i < parts.carries ? static_cast<bool>(parts.row_carry[static_cast<size_t>(i)])
                             : has_rows_at(t, 0, batch);
  }
  bool output_has_rows(int i) const { return i >= parts.carries || argument_has_rows(i); }

 private:
  const OpView op_;

 public:
  const ops::ScanParts parts;

 private:
  const Graph& body_;

 public:
  const Dim batch;

 private:
  bool led(Value v) const { return led_[static_cast<size_t>(v.id)]; }
  void set_led(Value v, bool is) { led_[static_cast<size_t>(v.id)] = is; }

  bool look_at(const Node& node) {
    if (!node.regions.empty()) return false;
    std::vector<bool> flags;
    bool any = false;
    for (const Value v : node.operands) {
      flags.push_back(led(v));
      any |= led(v);
    }
    if (!any) {
      for (const Value v : node.results)
        if (mentions(body_.type(v), batch) && !is_uniform(body_, v)) return false;
      return true;
    }
    const auto moved = moved_results(OpView(body_, node), flags, 1);
    for (size_t r = 0; moved && r < node.results.size(); ++r) set_led(node.results[r], (*moved)[r]);
    return moved.has_value();
  }

  std::vector<bool> led_;
};

class Sorting {
 public:
  explicit Sorting(const Graph& g) : g_(g), r_(g) {}

  Graph run() {
    for (const Node& node : g_.nodes())
      if (!(sort_loop(node) || sort_pack(node) || sort_between(node))) r_.copy(node);
    return r_.finish();
  }
  int count() const { return count_; }

 private:
  struct Order {
    Value lengths;                // old
    Value order, places, sorted;  // new; sorted: the lengths
  };
  // An old value's rows along `axis`, in an order other than the batch's.
  struct Sorted {
    size_t order;
    int axis;
    Value value;
  };

  Builder& build() { return r_.builder; }

  Value gather(Value x, Value indices, int axis) {
    return build().emit(ops::gather, {{x}, {indices}}, {{"axis", int64_t{axis}}});
  }

  size_t order_by(Value lengths) {
    for (size_t i = 0; i < orders_.size(); ++i)
      if (orders_[i].lengths == lengths) return i;
    const Values made = build().emit_all(ops::length_order, {{r_(lengths)}});
    orders_.push_back({lengths, made[0], made[1], gather(r_(lengths), made[0], 0)});
    return orders_.size() - 1;
  }

  // Is there nothing to move, or next to nothing, to have x in this order?
  bool is_cheap(Value x, int axis, size_t order) const {
    const Node* p = g_.producer(x);
    return known_.count({x, axis, order}) > 0 || is_uniform(g_, x) || g_.type(x).rank() == 1 ||
           g_.type(x).dtype == DType::pred ||
           (p != nullptr && ((takes_places(*p) && axis == 1) ||
                             (swaps(*p) && is_cheap(p->operands[0], 1 - axis, order))));
  }
  static bool takes_places(const Node& node) {
    return node.op == &ops::unpack && node.group_sizes[2] == 0;
  }

  Value in_order(Value x, int axis, size_t order) {
    if (is_uniform(g_, x)) return r_(x);
    if (const auto known = known_.find({x, axis, order}); known != known_.end())
      return known->second;
    const Node* p = g_.producer(x);
    const auto other = sorted_.find(x);
    Value made;
    if (other != sorted_.end())
      made = gather(other->second.value,
                    gather(orders_[other->second.order].places, orders_[order].order, 0), axis);
    else if (p != nullptr && takes_places(*p) && axis == 1)
      made = build().emit(ops::unpack,
                          {{r_(p->operands[0])}, {r_(p->operands[1])}, {orders_[order].places}},
                          p->attrs);
    else if (p != nullptr && swaps(*p) && is_cheap(p->operands[0], 1 - axis, order))
      made = build().transpose(in_order(p->operands[0], 1 - axis, order),
                               OpView(g_, *p).integers("perm"));
    else
      made = gather(r_(x), orders_[order].order, axis);
    return known_[{x, axis, order}] = made;
  }

  void put(Value old, Value made, int axis, size_t order) {
    sorted_[old] = {order, axis, made};
    known_[{old, axis, order}] = made;
    r_.replace(old, gather(made, orders_[order].places, axis));
  }

  bool sort_loop(const Node& node) {
    if (node.op != &ops::scan || !OpView(g_, node).has("lengths")) return false;
    Loop loop(g_, node);
    if (!loop.may_be_sorted()) return false;
    const Value lengths = node.operands.back();
    if (g_.producer(lengths) != nullptr)
      return false;  // not an argument: already sorted, or of unknown order
    r_.at(node);
    const size_t order = order_by(lengths);
    OperandGroups groups(4);
    groups[3] = {orders_[order].sorted};
    const int first = loop.parts.carries, behind = first + loop.parts.scanned;
    for (int i = 0; i < behind + loop.parts.invariants; ++i) {
      const Value x = node.operands[static_cast<size_t>(i)];
      const bool is_scanned = i >= first && i < behind;
      const int axis = is_scanned && loop.parts.axes[static_cast<size_t>(i - first)] == 0 ? 1 : 0;
      groups[i < first    ? 0
             : is_scanned ? 1
                          : 2]
          .push_back(loop.argument_has_rows(i) ? in_order(x, axis, order) : r_(x));
    }
    const Values made = build().emit_all(ops::scan, groups, node.attrs, node.regions);
    for (int i = 0; i < static_cast<int>(made.size()); ++i) {
      const size_t at = static_cast<size_t>(i);
      const bool is_stacked = i >= first;
      const int axis =
          is_stacked && loop.parts.out_axes[static_cast<size_t>(i - first)] == 0 ? 1 : 0;
      if (loop.output_has_rows(i))
        put(node.results[at], made[at], axis, order);
      else
        r_.replace(node.results[at], made[at]);
    }
    ++count_;
    return true;
  }

  bool sort_pack(const Node& node) {
    if (node.op != &ops::pack || OpView(g_, node).has("places")) return false;
    const auto x = sorted_.find(node.operands[0]);
    if (x == sorted_.end() || x->second.axis != 1) return false;
    r_.at(node);
    r_.replace(node.results[0], build().emit(ops::pack, {{x->second.value},
                                                         {r_(node.operands[1])},
                                                         {orders_[x->second.order].places}}));
    return true;
  }

  // A row-wise op on rows in one order, where nothing else must be moved for it.
  bool sort_between(const Node& node) {
    const Sorted* some = nullptr;
    for (const Value v : node.operands)
      if (const auto x = sorted_.find(v); x != sorted_.end()) {
        if (some != nullptr && (x->second.order != some->order || x->second.axis != some->axis))
          return false;
        some = &x->second;
      }
    if (some == nullptr || !node.regions.empty()) return false;
    const size_t order = some->order;
    const int axis = some->axis;
    const Dim batch = g_.type(orders_[order].lengths).dim(0);
    const OpView op(g_, node);
    std::vector<bool> led;
    for (const Value v : node.operands) {
      led.push_back(has_rows_at(g_.type(v), axis, batch) && !is_uniform(g_, v));
      const bool moves = led.back() ? is_cheap(v, axis, order) : !mentions(g_.type(v), batch);
      if (!moves && !is_uniform(g_, v)) return false;
    }
    int to = axis;
    std::vector<bool> moved(node.results.size(), true);
    if (swaps(node)) {
      to = 1 - axis;
    } else if (const auto results = moved_results(op, led, axis + 1)) {
      moved = *results;
    } else {
      return false;
    }
    r_.at(node);
    OperandGroups groups;
    for (size_t i = 0, n = 0; i < node.group_sizes.size(); ++i) {
      groups.emplace_back();
      for (int k = 0; k < node.group_sizes[i]; ++k, ++n)
        groups.back().push_back(led[n] ? in_order(node.operands[n], axis, order)
                                       : r_(node.operands[n]));
    }
    const Values made = build().emit_all(*node.op, groups, node.attrs);
    for (size_t i = 0; i < made.size(); ++i)
      if (moved[i])
        put(node.results[i], made[i], to, order);
      else
        r_.replace(node.results[i], made[i]);
    return true;
  }

  // Axes 0 and 1 change places.
  bool swaps(const Node& node) const {
    if (node.op != &ops::transpose) return false;
    const Integers& perm = OpView(g_, node).integers("perm");
    return perm.size() >= 2 && perm[0] == 1 && perm[1] == 0;
  }

  const Graph& g_;
  Rewriter r_;
  std::vector<Order> orders_;
  std::map<Value, Sorted> sorted_;  // by old value
  // By old value, the axis of its rows, order.
  std::map<std::tuple<Value, int, size_t>, Value> known_;
  int count_ = 0;
};

Graph of_distinct(const Graph& graph, PassContext& context) {
  Sorting sorting(graph);
  Graph out = sorting.run();
  if (sorting.count() == 0) return graph;
  context.done(kName, concat(sorting.count(), " loops work on their rows by length"));
  return out;
}

}  // namespace

Graph sort_rows(const Graph& graph, PassContext& context) {
  if (!contains(graph, ops::scan)) return graph;
  return by_rows(
      graph, [&](const Graph& g) { return of_distinct(g, context); },
      [&] { context.near_miss(kName, std::string(kRowsUnknown)); });
}

}  // namespace weft::ir
