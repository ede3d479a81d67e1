// ir/rewrite/pattern.h -- patterns over graphs: written like the graph they match, one spelling each.
//
//   const Pattern x = any("x"), w = any("w");
//   const Pattern y = op(ops::add, op(ops::matmul, x, w).one_use().named("product"), any("bias"));
//   rewrite(graph, y, [](Match& m) {
//     return m.emit(ops::linear, {{m["x"]}, {m["w"]}, {m["bias"]}});
//   });
//
// A name bound twice must be the same value both times. Operands of commutative ops are tried both
// ways, alternatives in order, with backtracking. Patterns know the canonical spelling only
// (passes/canonicalize.cpp).
#pragma once
#include "ir/rewrite/rewrite.h"

#include <functional>
#include <memory>
#include <optional>

namespace weft::ir {

// A graph with the nodes that use each of its values.
struct GraphUses {
  explicit GraphUses(const Graph& graph) : graph(&graph), uses(ir::uses(graph)) {}

  const Graph* graph;
  std::vector<std::vector<int>> uses;

  const std::vector<int>& of(Value v) const { return uses[static_cast<size_t>(v.id)]; }
  bool one(Value v) const { return of(v).size() == 1; }
  const Node* producer(Value v) const { return graph->producer(v); }
  const Node* producer(Value v, const OpDef& op) const {  // null unless made by `op`
    const Node* node = graph->producer(v);
    return node != nullptr && node->op == &op ? node : nullptr;
  }
  OpView view(const Node& node) const { return OpView(*graph, node); }
  const Shape& shape(Value v) const { return graph->type(v).shape; }
  int index(const Node& node) const { return graph->info(node.results[0]).node; }
  std::string named(Value v) const;  // "%x, made at decoder.cpp:30"
  // The one value of a constant (of any shape), or nothing.
  std::optional<double> scalar(Value v) const;
  // Does `v` depend on any of these nodes?
  bool depends(Value v, const std::vector<int>& nodes) const;
};

std::optional<double> scalar_constant(const Graph& graph, Value v);

class Pattern {
 public:
  Pattern with(std::string_view attr, Attr value) const;
  Pattern one_use() const;                     // no reader but the one in the pattern
  Pattern named(std::string_view name) const;  // binds the value
  Pattern where(std::function<bool(const OpView&)> holds) const;
  Pattern result(int index) const;  // of an op with several results; 0 otherwise

  struct Parts;
  const Parts& parts() const { return *parts_; }
  explicit Pattern(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

 private:
  std::shared_ptr<const Parts> parts_;
};

struct Pattern::Parts {
  const OpDef* op = nullptr;      // null: any value, or one of the alternatives
  std::vector<Pattern> operands;  // none: not looked at
  std::vector<Pattern> alternatives;
  std::vector<std::pair<std::string, Attr>> attrs;
  std::vector<std::function<bool(const OpView&)>> conditions;
  std::string name;
  int result = 0;
  bool one_use = false;
  bool is_scalar = false;       // a constant of one value
  std::optional<double> value;  // ... and which
};

Pattern any(std::string_view name = {});
Pattern scalar(std::string_view name);  // a constant of one value
Pattern scalar(double value);
Pattern either(std::vector<Pattern> alternatives);
inline Pattern maybe(const Pattern& wrapped, const Pattern& bare) {
  return either({wrapped, bare});
}
Pattern op_of(const OpDef& op, std::vector<Pattern> operands);
template <typename... Operands>
Pattern op(const OpDef& def, const Operands&... operands) {
  return op_of(def, {operands...});
}

// A match: values by name, of the old graph (`old`) or, while rewriting, what stands for them.
class Match {
 public:
  Match(const GraphUses& readers, Rewriter* rewriter) : readers_(&readers), rewriter_(rewriter) {}

  bool has(std::string_view name) const { return find(name).valid(); }
  Value old(std::string_view name) const;
  Value operator[](std::string_view name) const { return (*rewriter_)(old(name)); }
  const Node& node(std::string_view name) const { return *readers_->graph->producer(old(name)); }
  OpView view(std::string_view name) const { return OpView(*readers_->graph, node(name)); }
  const TensorType& type(std::string_view name) const { return readers_->graph->type(old(name)); }
  double number(std::string_view name) const { return *readers_->scalar(old(name)); }
  const GraphUses& readers() const { return *readers_; }
  const std::vector<int>& nodes() const { return nodes_; }  // indexes of all nodes matched
  const Node& root() const { return readers_->graph->nodes()[static_cast<size_t>(nodes_.front())]; }
  // The provenance of what replaces the match: the root's, origins united.
  Provenance provenance() const;

  Builder& builder() { return rewriter_->builder; }
  Value emit(const OpDef& op, const OperandGroups& groups, Attrs attrs = {}) {
    return rewriter_->builder.emit(op, groups, std::move(attrs));
  }

 private:
  friend class Matcher;
  Value find(std::string_view name) const;
  const GraphUses* readers_;
  Rewriter* rewriter_;
  std::vector<std::pair<std::string, Value>> bindings_;
  std::vector<int> nodes_;
};

std::optional<Match> match(const GraphUses& readers, const Pattern& pattern, Value root,
                           Rewriter* rewriter = nullptr);

// Replaces every match by what `replace` returns; an invalid value keeps the node. Regions are not
// entered. Returns `graph` itself where nothing matched.
Graph rewrite(const Graph& graph, const Pattern& pattern,
              const std::function<Value(Match&)>& replace);

// A fused op to put in place of several results: found first, built later.
struct Replacement {
  Values outputs;                          // old values that are replaced
  Values inputs;                           // old values that `build` reads
  std::vector<int> nodes;                  // matched nodes, the root first
  std::function<Values(Rewriter&)> build;  // gives new values for `outputs`
};

// Carries out replacements, each placed after the last of its inputs, however the old graph was
// ordered. Where two claim a value the first has it; one that would need its own results is left
// out. What no result needs any more is gone.
Graph replace_all(const Graph& graph, std::vector<Replacement> replacements);

Provenance united_provenance(const Graph& graph, const std::vector<int>& nodes);

}  // namespace weft::ir
