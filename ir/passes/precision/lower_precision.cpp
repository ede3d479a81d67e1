// ir/passes/precision/lower_precision.cpp -- see lower_precision.h.
#include "ir/passes/precision/lower_precision.h"

#include "ir/error.h"
#include "ir/passes/precision/products.h"
#include "ir/rewrite/rewrite.h"

#include <algorithm>
#include <map>

namespace weft::ir {
namespace {

constexpr std::string_view kName = "lower_precision";

size_t at(Value v) { return static_cast<size_t>(v.id); }
bool holds(const std::vector<int>& list, size_t i) {
  return std::find(list.begin(), list.end(), static_cast<int>(i)) != list.end();
}

// Who reads a graph's values as what. Loops' bodies have readers of their own.
struct Readers {
  std::vector<bool> as_bf16, as_f32;  // by value
  std::map<size_t, Readers> bodies;   // by node: of loops

  // Nothing needs it in f32.
  bool bf16_only(Value v) const { return as_bf16[at(v)] && !as_f32[at(v)]; }
};

// Backwards: how a result is read says how operands are that only move to it.
class Analysis {
 public:
  Analysis(const Graph& graph, Place place, const std::vector<bool>& bf16_outputs)
      : graph_(graph), place_(place) {
    const auto values = static_cast<size_t>(graph.value_count());
    found_.as_bf16.resize(values);
    found_.as_f32.resize(values);
    for (size_t i = 0; i < graph.outputs().size(); ++i) {
      const bool bf16 = !bf16_outputs.empty() && bf16_outputs[i];
      read(graph.outputs()[i].value, bf16);
    }
    for (size_t n = graph.nodes().size(); n-- > 0;) visit(n);
  }

  Readers found() && { return std::move(found_); }

 private:
  void read(Value v, bool as_bf16) { (as_bf16 ? found_.as_bf16 : found_.as_f32)[at(v)] = true; }

  void visit(size_t n) {
    const Node& node = graph_.nodes()[n];
    if (node.op == &ops::scan) return visit_loop(n);
    const OpView op(graph_, node);
    std::vector<int> bf16 = lowered_operands(op);
    if (!bf16.empty() && !reason_for_f32(op, place_).empty()) bf16.clear();
    if (bf16.empty() && found_.bf16_only(node.results[0])) bf16 = moved_operands(op);
    const int sign = operand_by_sign(op);  // takes it as it is
    for (size_t i = 0; i < node.operands.size(); ++i)
      if (static_cast<int>(i) != sign) read(node.operands[i], holds(bf16, i));
  }

  // What is carried and the lengths are read as they are.
  void visit_loop(size_t n) {
    const Node& node = graph_.nodes()[n];
    const ops::ScanParts parts(OpView(graph_, node));
    const auto carries = static_cast<size_t>(parts.carries);
    std::vector<bool> outputs(node.results.size());
    for (size_t r = carries; r < outputs.size(); ++r)
      outputs[r] = found_.bf16_only(node.results[r]);
    const Graph& body = node.regions[0];
    const Readers& inside = found_.bodies[n] = Analysis(body, Place::in_loop, outputs).found();
    for (size_t i = 0; i < node.operands.size(); ++i) {
      const bool changing = i < carries || i >= carries + static_cast<size_t>(parts.scanned) +
                                                    static_cast<size_t>(parts.invariants);
      if (changing) {
        read(node.operands[i], false);
        continue;
      }
      const Value argument = body.arguments()[i].value;
      const bool bf16 = inside.bf16_only(argument);
      read(node.operands[i], bf16);
      // Of an invariant there may be both.
      if (i >= carries + static_cast<size_t>(parts.scanned) && inside.as_bf16[at(argument)])
        read(node.operands[i], true);
    }
  }

  const Graph& graph_;
  const Place place_;
  Readers found_;
};

struct Counts {
  std::map<std::string_view, int> lowered;  // by op
};

// Writes a graph anew, products on bf16.
class Lowering {
 public:
  Lowering(const Graph& graph, Place place, const Readers& readers, PassContext& context,
           Counts& counts)
      : graph_(graph),
        place_(place),
        readers_(readers),
        context_(context),
        counts_(counts),
        builder_(to_),
        exact_(static_cast<size_t>(graph.value_count())),
        low_(exact_.size()) {
    to_.name = graph.name;
  }

  // Of the whole graph: arguments stay as they are.
  Graph whole() {
    for (const Argument& a : graph_.arguments()) exact_[at(a.value)] = add_argument(a, false);
    return written({});
  }

  // Of a loop's body. Invariants that are read both ways come again as bf16, behind the others.
  Graph body(const ops::ScanParts& parts, const std::vector<bool>& bf16_outputs) {
    const auto invariants = static_cast<size_t>(parts.carries + parts.scanned);
    const size_t end = invariants + static_cast<size_t>(parts.invariants);
    const auto carries = static_cast<size_t>(parts.carries);
    const auto add = [&](size_t i, bool bf16, bool again = false) {
      const Argument& a = graph_.arguments()[i];
      (bf16 ? low_ : exact_)[at(a.value)] = add_argument(a, bf16, again);
    };
    for (size_t i = 0; i < end; ++i)
      add(i, i >= carries && readers_.bf16_only(graph_.arguments()[i].value));
    for (size_t i = invariants; i < end; ++i)
      if (comes_twice(readers_, graph_.arguments()[i].value)) add(i, true, true);
    for (size_t i = end; i < graph_.arguments().size(); ++i) add(i, false);
    return written(bf16_outputs);
  }

 private:
  static bool comes_twice(const Readers& readers, Value invariant) {
    return readers.as_bf16[at(invariant)] && readers.as_f32[at(invariant)];
  }

  Value add_argument(const Argument& a, bool bf16, bool again = false) {
    TensorType type = graph_.type(a.value);
    if (bf16) type.dtype = DType::bf16;
    const Value v = to_.add_argument(type, again ? "" : graph_.info(a.value).name, a.kind, a.path,
                                     a.initializer, a.trainable);
    to_.set_donated(static_cast<int>(to_.arguments().size()) - 1, a.donated);
    return v;
  }

  Graph written(const std::vector<bool>& bf16_outputs) {
    for (size_t n = 0; n < graph_.nodes().size(); ++n) write(n);
    for (size_t i = 0; i < graph_.outputs().size(); ++i) {
      const Output& o = graph_.outputs()[i];
      to_.add_output(o.name,
                     !bf16_outputs.empty() && bf16_outputs[i] ? low(o.value) : exact_[at(o.value)]);
    }
    return drop_dead(to_);
  }

  // The value as bf16, cast once: a view of one that is cast is a view of that.
  Value low(Value v) {
    if (low_[at(v)].valid()) return low_[at(v)];
    const Node* made = graph_.producer(v);
    const bool viewed = made != nullptr &&
                        (made->op == &ops::reshape || made->op == &ops::transpose) &&
                        readers_.as_bf16[at(made->operands[0])];
    return low_[at(v)] = viewed ? builder_.emit(*made->op, {{low(made->operands[0])}}, made->attrs)
                                : builder_.cast(exact_[at(v)], DType::bf16);
  }

  Value as(Value v, bool bf16) { return bf16 ? low(v) : exact_[at(v)]; }

  OperandGroups groups(const Node& node, const std::vector<int>& bf16) {
    OperandGroups groups;
    size_t i = 0;
    for (const int size : node.group_sizes) {
      groups.emplace_back();
      for (int k = 0; k < size; ++k, ++i)
        groups.back().push_back(as(node.operands[i], holds(bf16, i)));
    }
    return groups;
  }

  void write(size_t n) {
    const Node& node = graph_.nodes()[n];
    builder_.from = node.from;
    if (node.op == &ops::scan) return write_loop(n);
    const OpView op(graph_, node);
    if (const std::vector<int> lowered = lowered_operands(op); !lowered.empty()) {
      const std::string reason = reason_for_f32(op, place_);
      if (reason.empty()) {
        ++counts_.lowered[node.op->name];
        if (rounds_last(op)) return write_rounded(node, lowered);
        return set(node, builder_.emit_all(*node.op, groups(node, lowered), node.attrs));
      }
      context_.near_miss(kName,
                         concat(where(node), ": '", node.op->name, "' stays f32: it ", reason));
    }
    const std::vector<int> moved = moved_operands(op);
    if (!moved.empty() && readers_.bf16_only(node.results[0])) {
      Attrs attrs = node.attrs;
      low_[at(node.results[0])] =
          named(node.results[0], builder_.emit_all(*node.op, groups(node, moved), attrs)[0]);
      return;
    }
    Values operands;
    for (const Value v : node.operands)
      operands.push_back(readers_.bf16_only(v) ? builder_.cast(low(v), DType::f32)  // for its sign
                                               : exact_[at(v)]);
    set(node, to_.add_copy(graph_, node, operands));
  }

  // A product that is a `linear`, of which nobody reads f32.
  bool rounds_last(const OpView& op) const {
    if (!readers_.bf16_only(op.node().results[0])) return false;
    return &op.def() == &ops::linear ||
           (&op.def() == &ops::matmul && !op.flag("transpose_a") && op.operand(1).rank() == 2);
  }
  void write_rounded(const Node& node, const std::vector<int>& lowered) {
    OperandGroups all = groups(node, lowered);
    all.resize(ops::linear.operands.size());
    Attrs attrs = node.attrs;
    attrs.set("rounded", true);
    low_[at(node.results[0])] =
        named(node.results[0], builder_.emit(ops::linear, all, std::move(attrs)));
  }

  Value named(Value old, Value made) {
    const std::string& name = graph_.info(old).name;
    if (!name.empty() && to_.info(made).name.empty()) to_.set_name(made, name);
    return made;
  }

  void set(const Node& node, const Values& made) {
    for (size_t r = 0; r < made.size(); ++r) {
      exact_[at(node.results[r])] = named(node.results[r], made[r]);
      if (readers_.bf16_only(node.results[r])) low(node.results[r]);
    }
  }

  void write_loop(size_t n) {
    const Node& node = graph_.nodes()[n];
    const ops::ScanParts parts(OpView(graph_, node));
    const Readers& inside = readers_.bodies.at(n);
    const Graph& body = node.regions[0];
    std::vector<bool> outputs(node.results.size());
    for (size_t r = static_cast<size_t>(parts.carries); r < outputs.size(); ++r)
      outputs[r] = readers_.bf16_only(node.results[r]);
    Graph lowered = Lowering(body, Place::in_loop, inside, context_, counts_).body(parts, outputs);

    const auto scanned = static_cast<size_t>(parts.carries),
               invariants = scanned + static_cast<size_t>(parts.scanned),
               end = invariants + static_cast<size_t>(parts.invariants);
    OperandGroups groups(node.group_sizes.size());
    for (size_t i = 0; i < node.operands.size(); ++i) {
      const bool bf16 = i >= scanned && i < end && inside.bf16_only(body.arguments()[i].value);
      groups[i < scanned      ? 0
             : i < invariants ? 1
             : i < end        ? 2
                              : 3]
          .push_back(as(node.operands[i], bf16));
    }
    for (size_t i = invariants; i < end; ++i)
      if (comes_twice(inside, body.arguments()[i].value))
        groups[2].push_back(low(node.operands[i]));
    builder_.from = node.from;
    std::vector<Graph> regions;
    regions.push_back(std::move(lowered));
    const Values made = builder_.emit_all(ops::scan, groups, node.attrs, std::move(regions));
    for (size_t r = 0; r < made.size(); ++r)
      (outputs[r] ? low_ : exact_)[at(node.results[r])] = named(node.results[r], made[r]);
  }

  const Graph& graph_;
  const Place place_;
  const Readers& readers_;
  PassContext& context_;
  Counts& counts_;
  Graph to_;
  Builder builder_;
  Values exact_, low_;  // by value of graph_: as it is, and as bf16
};

}  // namespace

Graph lower_precision(const Graph& graph, PassContext& context) {
  const Readers readers = Analysis(graph, Place::outside, {}).found();
  Counts counts;
  Graph lowered = Lowering(graph, Place::outside, readers, context, counts).whole();
  if (counts.lowered.empty()) return graph;
  std::string text;
  for (const auto& [op, count] : counts.lowered)
    text += concat(text.empty() ? "" : ", ", count, " ", op);
  context.done(kName, concat("read bf16 and compute in f32: ", text));
  return lowered;
}

}  // namespace weft::ir
