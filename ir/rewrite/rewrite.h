// ir/rewrite/rewrite.h -- making a new graph out of an old one, node by node.
#pragma once
#include "ir/rewrite/builder.h"

#include <functional>
#include <optional>

namespace weft::ir {

// Copies a graph node by node; a pass decides for each node what to put in its place.
class Rewriter {
 public:
  explicit Rewriter(const Graph& from);  // copies name and arguments

  const Graph& from() const { return *from_; }
  Builder builder;                    // appends to the new graph
  Value operator()(Value old) const;  // what stands for it in the new graph
  Values operator()(const Values& old) const;
  void replace(Value old,
               Value with);       // from here on (keeps the old value's name if the new has none)
  Values copy(const Node& node);  // the node as it is, on mapped operands
  Values copy(const Node& node, std::vector<Graph> regions);  // with other regions; re-inferred
  void at(const Node& node) { builder.from = node.from; }     // provenance of what is emitted next
  Graph finish();  // copies the outputs; drops dead nodes

 private:
  const Graph* from_;
  Graph to_;
  Values map_;
};

// Calls `rule` for every node in order; it emits what replaces the node's results and returns them,
// or nothing to keep the node. Dead nodes are dropped afterwards. Regions are not entered.
using NodeRule = std::function<std::optional<Values>(Rewriter&, const Node&)>;
Graph rewrite_nodes(const Graph& graph, const NodeRule& rule);

// Applies `pass` to every region of every node, innermost first, then to the graph itself.
Graph with_regions(const Graph& graph, const std::function<Graph(const Graph&)>& pass);

bool contains(const Graph& graph, const OpDef& op);  // in regions too

Graph drop_dead(const Graph& graph);  // nodes that no output needs (arguments stay)

// The graph with symbols replaced by sizes everywhere, types inferred anew (and so checked).
// Throws GraphError where a symbol is missing or a rule breaks with these sizes.
Graph specialize(const Graph& graph, const Bindings& bindings);

// The graph with every size replaced, types inferred anew. Which carries of its loops have rows
// stays as it is.
Graph with_sizes(const Graph& graph, const std::function<Dim(const Dim&)>& size);

}  // namespace weft::ir
