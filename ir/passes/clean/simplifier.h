// ir/passes/clean/simplifier.h -- building nodes in their canonical spelling: what canonicalize is made
// of.
//
// A rule looks at a node just appended (its operands are already canonical) and returns what should
// stand for it, or nothing. Rules build through the simplifier, so what they return is canonical.
#pragma once
#include "ir/rewrite/rewrite.h"

#include <optional>

namespace weft::ir {

class Simplifier {
 public:
  explicit Simplifier(Builder& builder) : builder(builder) {}

  Builder& builder;
  int rewritten = 0;  // how often a rule applied

  // What stands for `v`, the result of a node just appended.
  Value simplify(Value v);
  Value emit(const OpDef& op, const OperandGroups& groups, Attrs attrs = {});
  Value reshape(Value x, const Shape& shape) {
    return type(x).shape == shape ? x : emit(ops::reshape, {{x}}, {{"shape", shape}});
  }
  Value broadcast(Value x, const Shape& shape) {
    return type(x).shape == shape ? x : emit(ops::broadcast, {{x}}, {{"shape", shape}});
  }
  Value filled(double value, const TensorType& type) { return builder.filled(value, type); }

  // By value: emitting moves nodes and types about.
  TensorType type(Value v) const { return builder.type(v); }
  std::optional<Node> made_by(Value v, const OpDef& op) {
    const Node* n = builder.graph().producer(v);
    if (n == nullptr || n->op != &op) return std::nullopt;
    seen_ = united(seen_, n->from.origins);
    return *n;
  }
  std::optional<double> scalar(Value v) const;  // the one value of a constant of any shape
  OpView view(const Node& node) const { return OpView(builder.graph(), node); }

 private:
  Origins seen_;  // of the nodes the rule at work has looked at: what it emits stands for them too
};

using Simplification = Value (*)(Simplifier&, const Node&);  // an invalid value: nothing to do
struct SimplificationRule {
  const OpDef* op;  // null: every elementwise op
  Simplification apply;
};

std::span<const SimplificationRule> algebra_rules();  // simplify_algebra.cpp
std::span<const SimplificationRule>
layout_rules();  // simplify_layout.cpp: reshape, transpose, slice, ...

// Shape helpers: axes that are a literal 1 say nothing.
Shape without_ones(const Shape& shape);

}  // namespace weft::ir
