// ir/passes/padding/pack_attention.cpp -- attention of many heads works on packed sequences.
#include "ir/passes/padding/pack_attention.h"

#include "ir/ops/attention_parts.h"
#include "ir/passes/padding/pack_choice.h"
#include "ir/rewrite/pattern.h"
#include "ir/rules/distinct_axes.h"

#include <algorithm>
#include <map>

namespace weft::ir {
namespace {

constexpr std::string_view kName = "pack_attention";

// [B,H,T,...] and the packed rows it holds.
struct Unpacked {
  Value rows;
  Sequences of;
};

class Packing {
 public:
  explicit Packing(const Graph& g) : g_(g), readers_(g), r_(g) {}

  Graph run(PassContext& context) {
    for (const Node& node : g_.nodes()) {
      if (move(node)) continue;
      if (node.op == &ops::attention && has_packed_operands(node)) {
        const std::string_view why = obstacle(node);
        if (why.empty()) {
          context.done(kName, where(node) + ": attention works on packed sequences");
          made_[node.results[0]] = {};
        } else {
          context.near_miss(kName, concat(where(node), ": ", why));
        }
      }
      if (is_chosen(node))
        convert(node);
      else
        r_.copy(node);
    }
    return r_.finish();
  }

 private:
  Value operand(const Node& node, std::string_view name) const {
    return node.operands[static_cast<size_t>(OpView(g_, node).position(name))];
  }
  const Node* swapped_heads(Value v) const {
    const Node* p = readers_.producer(v, ops::transpose);
    return p != nullptr && OpView(g_, *p).integers("perm") == Integers{0, 2, 1, 3} ? p : nullptr;
  }
  bool packs(const Node& node) const {
    const OpView op(g_, node);
    return node.op == &ops::pack && op.flag("by_sequence") && !op.has("places");
  }

  std::optional<Unpacked> unpacked(Value v) const {
    const Node* heads = swapped_heads(v);
    const Node* p = heads == nullptr ? nullptr : readers_.producer(heads->operands[0], ops::unpack);
    if (p == nullptr) return std::nullopt;
    const OpView op(g_, *p);
    if (!op.flag("by_sequence") || op.has("places")) return std::nullopt;
    return Unpacked{p->operands[0],
                    {p->operands[1], op.dim("steps"), g_.type(p->operands[1]).dim(0), true}};
  }

  // Are ended keys hidden from queries that have not ended?
  bool hides_ended_keys(const Node& node, const Sequences& queries, const Sequences& keys) const {
    const OpView op(g_, node);
    return (op.has("mask") && hides_ended(g_, operand(node, "mask"), 4, keys)) ||
           (ops::is_causal(op.integers("band")) && queries == keys);
  }

  // Both ops: of many heads, each operand from packed sequences.
  bool has_packed_operands(const Node& node) const {
    return !ops::is_additive(OpView(g_, node)) && unpacked(operand(node, "q")) &&
           unpacked(operand(node, "k")) && unpacked(operand(node, "v"));
  }
  bool is_between_sequences(const Node& node) const {
    if (!has_packed_operands(node)) return false;
    const Sequences keys = unpacked(operand(node, "k"))->of;
    return keys == unpacked(operand(node, "v"))->of &&
           hides_ended_keys(node, unpacked(operand(node, "q"))->of, keys);
  }

  // Is nothing read of `o` but packed rows of these sequences, and by adjoints that fit?
  bool only_packed(const Node& node, const Sequences& queries) const {
    const Value o = node.results[0];
    for (const Output& output : g_.outputs())
      if (output.value == o) return false;
    for (const int n : readers_.of(o)) {
      const Node& reader = g_.nodes()[static_cast<size_t>(n)];
      if (fits_adjoint(reader, node, queries)) continue;
      if (swapped_heads(reader.results[0]) == nullptr) return false;
      for (const Output& output : g_.outputs())
        if (output.value == reader.results[0]) return false;
      for (const int m : readers_.of(reader.results[0])) {
        const Node& pack = g_.nodes()[static_cast<size_t>(m)];
        if (!packs(pack) || pack.operands[1] != queries.lengths) return false;
      }
    }
    return true;
  }

  bool fits_adjoint(const Node& grad, const Node& node, const Sequences& queries) const {
    if (grad.op != &ops::attention_grad) return false;
    for (const std::string_view read : {"dweights", "dlse"})
      if (OpView(g_, grad).has(read)) return false;
    const auto d = unpacked(operand(grad, "do"));
    return operand(grad, "o") == node.results[0] && operand(grad, "lse") == node.results[1] && d &&
           d->of == queries && is_between_sequences(grad);
  }

  // Why attention with packed operands cannot work on them; empty where it can.
  std::string_view obstacle(const Node& node) const {
    const OpView op(g_, node);
    if (op.flag("weights")) return "its weights are wanted";
    if (!is_between_sequences(node)) return "keys of sequences that have ended are not hidden";
    const Sequences queries = unpacked(operand(node, "q"))->of;
    if (op.flag("lse")) {
      constexpr std::string_view kRead = "its log-sum-exp is read by more than its gradient";
      for (const Output& output : g_.outputs())
        if (output.value == node.results[1]) return kRead;
      for (const int n : readers_.of(node.results[1]))
        if (!fits_adjoint(g_.nodes()[static_cast<size_t>(n)], node, queries)) return kRead;
    }
    return only_packed(node, queries) ? "" : "what it gives is read where it is not packed again";
  }

  bool is_chosen(const Node& node) const {
    if (node.op == &ops::attention) return made_.count(node.results[0]) > 0;
    return node.op == &ops::attention_grad && made_.count(operand(node, "o")) > 0;
  }

  // The mask of lengths alone says nothing more.
  bool is_only_of_lengths(Value mask) const {
    const Node* p = g_.producer(mask);
    while (p->op == &ops::reshape || p->op == &ops::broadcast) {
      mask = p->operands[0];
      if ((p = g_.producer(mask)) == nullptr) return false;
    }
    return p->op == &ops::length_mask;
  }

  // What stands for an operand of attention or its adjoint; not valid where nothing needs to.
  Value packed(const Node& node, std::string_view name, const Sequences& keys) {
    const Value x = operand(node, name);
    if (name == "o" || name == "lse") return made_.at(x);
    if (name == "q" || name == "k" || name == "v" || name == "do") return r_(unpacked(x)->rows);
    if (name == "mask" && hides_ended(g_, x, 4, keys) && is_only_of_lengths(x)) return {};
    return r_(x);
  }

  void convert(const Node& node) {
    const bool grad = node.op == &ops::attention_grad;
    const Sequences queries = unpacked(operand(node, "q"))->of,
                    keys = unpacked(operand(node, "k"))->of;
    ops::AttentionParts parts(OpView(g_, node));
    for (const OperandDef& o : node.op->operands)
      if (parts.has(o.name)) parts[o.name] = packed(node, o.name, keys);
    parts["q_lengths"] = r_(queries.lengths), parts["k_lengths"] = r_(keys.lengths);
    parts.attrs.set("queries", queries.steps);
    parts.attrs.set("keys", keys.steps);
    r_.at(node);
    const Values made =
        parts.emit(r_.builder, grad ? ops::packed_attention_grad : ops::packed_attention);
    for (size_t i = 0; i < made.size(); ++i) {
      const std::string of = grad ? OpView(g_, node).texts("wanted")[i] : i == 0 ? "q" : "lse";
      made_[node.results[i]] = made[i];
      if (of == "bias") r_.replace(node.results[i], made[i]);
      if (of == "bias" || of == "lse") continue;
      // For readers that do not pack it again.
      const Sequences& s = of == "q" ? queries : keys;
      lengths_[node.results[i]] = s.lengths;
      const Value back = r_.builder.emit(ops::unpack, {{made[i]}, {r_(s.lengths)}},
                                         {{"steps", s.steps}, {"by_sequence", true}});
      r_.replace(node.results[i], r_.builder.transpose(back, {0, 2, 1, 3}));
    }
  }

  // Packing what was packed.
  bool move(const Node& node) {
    if (!packs(node)) return false;
    const Node* heads = swapped_heads(node.operands[0]);
    const auto lengths = heads == nullptr ? lengths_.end() : lengths_.find(heads->operands[0]);
    if (lengths == lengths_.end() || lengths->second != node.operands[1]) return false;
    r_.replace(node.results[0], made_.at(heads->operands[0]));
    return true;
  }

  const Graph& g_;
  const GraphUses readers_;
  Rewriter r_;
  std::map<Value, Value> made_;     // result of attention or its adjoint -> packed rows, new
  std::map<Value, Value> lengths_;  // ... -> their lengths, old
};

Graph of_distinct(const Graph& graph, PassContext& context) { return Packing(graph).run(context); }

}  // namespace

Graph pack_attention(const Graph& graph, PassContext& context) {
  return by_rows(
      graph, [&](const Graph& g) { return of_distinct(g, context); },
      [&] { context.near_miss(kName, std::string(kRowsUnknown)); });
}

}  // namespace weft::ir
