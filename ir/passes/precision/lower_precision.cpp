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

// How a node reads an operand.
enum class Read : uint8_t {
  exact,  // f32
  bf16,
  saved,   // bf16 in the form of f32: of the forward pass, and kept for this
  either,  // whatever there is
};

// By operand, of a node that is no loop. `result`: how its result is read, as far as it matters to
// one that moves elements; `forward`: of values, what the forward pass made.
std::vector<Read> reads_of(const OpView& op, bool in_loop, Read result,
                           const std::vector<bool>& forward) {
  const Values& operands = op.node().operands;
  std::vector<Read> reads(operands.size(), Read::exact);
  if (const int i = operand_by_sign(op); i >= 0) reads[static_cast<size_t>(i)] = Read::either;
  for (const int i : saved_operands(op)) {
    const auto k = static_cast<size_t>(i);
    reads[k] = forward[at(operands[k])] ? Read::saved : Read::either;
  }
  std::vector<int> bf16 = lowered_operands(op);
  if (!bf16.empty() && !reason_for_f32(op, in_loop).empty()) bf16.clear();
  if (bf16.empty() && result != Read::exact)
    for (const int i : moved_operands(op)) reads[static_cast<size_t>(i)] = result;
  for (const int i : bf16) reads[static_cast<size_t>(i)] = Read::bf16;
  return reads;
}

// Who reads a graph's values as what. Loops' bodies have readers of their own.
struct Readers {
  std::vector<bool> as_bf16, as_f32;              // by value
  std::vector<bool> as_bf16_later, as_f32_later;  // by the backward pass
  std::vector<bool> forward;                      // made by the forward pass, then moved or not
  std::map<size_t, Readers> bodies;               // by node: of loops

  // Nothing needs it in f32.
  bool bf16_only(Value v) const { return as_bf16[at(v)] && !as_f32[at(v)]; }
  Read read(Value v) const {
    return as_f32[at(v)] ? Read::exact : as_bf16[at(v)] ? Read::bf16 : Read::either;
  }
  // bf16 is what is kept of it for the backward pass.
  bool is_kept(Value v) const {
    return forward[at(v)] && as_bf16_later[at(v)] && !as_f32_later[at(v)];
  }
};

// Backwards: how a result is read says how operands are that only move to it.
class Analysis {
 public:
  // `forward`: of a body, by argument.
  Analysis(const Graph& graph, bool in_loop, const std::vector<bool>& bf16_outputs,
           const std::vector<bool>& forward)
      : graph_(graph), in_loop_(in_loop) {
    const auto values = static_cast<size_t>(graph.value_count());
    for (std::vector<bool>* flags : {&found_.as_bf16, &found_.as_f32, &found_.as_bf16_later,
                                     &found_.as_f32_later, &found_.forward})
      flags->resize(values);
    find_forward(forward);
    for (size_t i = 0; i < graph.outputs().size(); ++i) {
      const bool bf16 = !bf16_outputs.empty() && bf16_outputs[i];
      read(graph.outputs()[i].value, bf16 ? Read::bf16 : Read::exact, false);
    }
    for (size_t n = graph.nodes().size(); n-- > 0;) visit(n);
  }

  Readers found() && { return std::move(found_); }

 private:
  void find_forward(const std::vector<bool>& arguments) {
    for (size_t i = 0; i < arguments.size(); ++i)
      found_.forward[at(graph_.arguments()[i].value)] = arguments[i];
    for (const Node& node : graph_.nodes()) {
      const std::vector<int> moved = moved_operands(OpView(graph_, node));
      const bool forward = node.from.part == Part::forward ||
                           (!moved.empty() && std::all_of(moved.begin(), moved.end(), [&](int i) {
                             return found_.forward[at(node.operands[static_cast<size_t>(i)])];
                           }));
      for (const Value v : node.results) found_.forward[at(v)] = forward;
    }
  }

  void read(Value v, Read how, bool later) {
    if (how == Read::either) return;
    const bool exact = how == Read::exact;
    (exact ? found_.as_f32 : found_.as_bf16)[at(v)] = true;
    if (later) (exact ? found_.as_f32_later : found_.as_bf16_later)[at(v)] = true;
  }

  void visit(size_t n) {
    const Node& node = graph_.nodes()[n];
    if (node.op == &ops::scan) return visit_loop(n);
    const OpView op(graph_, node);
    const std::vector<Read> reads =
        reads_of(op, in_loop_, found_.read(node.results[0]), found_.forward);
    for (size_t i = 0; i < node.operands.size(); ++i)
      read(node.operands[i], reads[i], node.from.part == Part::backward);
  }

  // What is carried and the lengths are read as they are.
  void visit_loop(size_t n) {
    const Node& node = graph_.nodes()[n];
    const ops::ScanParts parts(OpView(graph_, node));
    const auto carries = static_cast<size_t>(parts.carries);
    const bool backward = node.from.part == Part::backward;
    std::vector<bool> outputs(node.results.size());
    for (size_t r = carries; r < outputs.size(); ++r)
      outputs[r] = found_.bf16_only(node.results[r]);
    const Graph& body = node.regions[0];
    std::vector<bool> forward(body.arguments().size());
    for (size_t i = carries; i < node.operands.size() && i < forward.size(); ++i)
      forward[i] = backward && found_.forward[at(node.operands[i])];
    const Readers& inside = found_.bodies[n] = Analysis(body, true, outputs, forward).found();
    for (size_t i = 0; i < node.operands.size(); ++i) {
      const Value v = node.operands[i];
      const bool changing = i < carries || i >= carries + static_cast<size_t>(parts.scanned) +
                                                    static_cast<size_t>(parts.invariants);
      if (changing) {
        read(v, Read::exact, backward);
        continue;
      }
      const Value argument = body.arguments()[i].value;
      read(v, inside.bf16_only(argument) ? Read::bf16 : Read::exact, backward);
      // Of an invariant there may be both.
      if (i >= carries + static_cast<size_t>(parts.scanned) && inside.as_bf16[at(argument)])
        read(v, Read::bf16, backward);
    }
  }

  const Graph& graph_;
  const bool in_loop_;
  Readers found_;
};

struct Counts {
  std::map<std::string_view, int> lowered;  // by op
};

// Writes a graph anew, products on bf16.
class Lowering {
 public:
  Lowering(const Graph& graph, bool in_loop, const Readers& readers, PassContext& context,
           Counts& counts)
      : graph_(graph),
        in_loop_(in_loop),
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
  Value as(Value v, Read how) {
    if (how == Read::bf16) return low(v);
    const bool kept =
        readers_.bf16_only(v) || (how == Read::saved && readers_.is_kept(v) && low_[at(v)].valid());
    if (!kept) return exact_[at(v)];
    const auto found = widened_.find(v.id);
    return found != widened_.end() ? found->second
                                   : widened_[v.id] = builder_.cast(low(v), DType::f32);
  }

  OperandGroups groups(const Node& node, const std::vector<Read>& reads) {
    OperandGroups groups;
    size_t i = 0;
    for (const int size : node.group_sizes) {
      groups.emplace_back();
      for (int k = 0; k < size; ++k, ++i) groups.back().push_back(as(node.operands[i], reads[i]));
    }
    return groups;
  }

  void write(size_t n) {
    const Node& node = graph_.nodes()[n];
    builder_.from = node.from;
    widened_.clear();
    if (node.op == &ops::scan) return write_loop(n);
    const OpView op(graph_, node);
    const bool low_result = readers_.bf16_only(node.results[0]);
    const std::vector<Read> reads =
        reads_of(op, in_loop_, readers_.read(node.results[0]), readers_.forward);
    if (!lowered_operands(op).empty()) {
      const std::string reason = reason_for_f32(op, in_loop_);
      if (reason.empty()) {
        ++counts_.lowered[node.op->name];
        if (low_result && rounds_last(op)) return write_rounded(node, ops::linear, reads);
        return set(node, builder_.emit_all(*node.op, groups(node, reads), node.attrs));
      }
      context_.near_miss(kName,
                         concat(where(node), ": '", node.op->name, "' stays f32: it ", reason));
    }
    if (low_result && !moved_operands(op).empty()) {
      Attrs attrs = node.attrs;
      low_[at(node.results[0])] =
          named(node.results[0], builder_.emit_all(*node.op, groups(node, reads), attrs)[0]);
      return;
    }
    if (low_result && node.op->attr("rounded") != nullptr && node.op != &ops::linear)
      return write_rounded(node, *node.op, reads);
    Values operands;
    for (size_t i = 0; i < node.operands.size(); ++i)
      operands.push_back(as(node.operands[i], reads[i]));
    set(node, to_.add_copy(graph_, node, operands));
  }

  // A product that is a `linear`, of which nobody reads f32.
  bool rounds_last(const OpView& op) const {
    if (!readers_.bf16_only(op.node().results[0])) return false;
    return &op.def() == &ops::linear ||
           (&op.def() == &ops::matmul && !op.flag("transpose_a") && op.operand(1).rank() == 2);
  }
  void write_rounded(const Node& node, const OpDef& op, const std::vector<Read>& reads) {
    OperandGroups all = groups(node, reads);
    all.resize(op.operands.size());
    Attrs attrs = node.attrs;
    attrs.set("rounded", true);
    const Values made = builder_.emit_all(op, all, std::move(attrs));
    low_[at(node.results[0])] = named(node.results[0], made[0]);
    set(node, made, 1);
  }

  Value named(Value old, Value made) {
    const std::string& name = graph_.info(old).name;
    if (!name.empty() && to_.info(made).name.empty()) to_.set_name(made, name);
    return made;
  }

  // What is kept is cast at once, so that what it is cast from need not be.
  void set(const Node& node, const Values& made, size_t first = 0) {
    for (size_t r = first; r < made.size(); ++r) {
      const Value v = node.results[r];
      exact_[at(v)] = named(v, made[r]);
      if (readers_.bf16_only(v) || readers_.is_kept(v)) low(v);
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
    Graph lowered = Lowering(body, true, inside, context_, counts_).body(parts, outputs);

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
    for (size_t r = 0; r < made.size(); ++r) {
      const Value v = node.results[r];
      (outputs[r] ? low_ : exact_)[at(v)] = named(v, made[r]);
      if (!outputs[r] && readers_.is_kept(v)) low(v);
    }
  }

  const Graph& graph_;
  const bool in_loop_;
  const Readers& readers_;
  PassContext& context_;
  Counts& counts_;
  Graph to_;
  Builder builder_;
  Values exact_, low_;            // by value of graph_: as it is, and as bf16
  std::map<int, Value> widened_;  // of the node that is written: bf16 in the form of f32
};

}  // namespace

Graph lower_precision(const Graph& graph, PassContext& context) {
  const Readers readers = Analysis(graph, false, {}, {}).found();
  Counts counts;
  Graph lowered = Lowering(graph, false, readers, context, counts).whole();
  if (counts.lowered.empty()) return graph;
  std::string text;
  for (const auto& [op, count] : counts.lowered)
    text += concat(text.empty() ? "" : ", ", count, " ", op);
  context.done(kName, concat("read bf16 and compute in f32: ", text));
  return lowered;
}

}  // namespace weft::ir
