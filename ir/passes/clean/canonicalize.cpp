// ir/passes/clean/canonicalize.cpp -- one spelling for one meaning.
#include "ir/passes/clean/canonicalize.h"

#include "ir/passes/clean/simplifier.h"

#include <utility>

namespace weft::ir {

std::optional<double> Simplifier::scalar(Value v) const {
  const Node* node = builder.graph().producer(v);
  if (node == nullptr || node->op != &ops::constant) return std::nullopt;
  const Reals& values = OpView(builder.graph(), *node).reals("values");
  return values.size() == 1 ? std::optional(values.front()) : std::nullopt;
}

Shape without_ones(const Shape& shape) {
  Shape s;
  for (const Dim& d : shape)
    if (!d.is(1)) s.push_back(d);
  return s;
}

Value Simplifier::emit(const OpDef& op, const OperandGroups& groups, Attrs attrs) {
  const Origins own = builder.from.origins;
  builder.from.origins = united(own, seen_);
  const Value v = builder.emit(op, groups, std::move(attrs));
  builder.from.origins = own;
  return simplify(v);
}

Value Simplifier::simplify(Value v) {
  const Node* made = builder.graph().producer(v);
  if (made == nullptr || made->results.size() != 1) return v;
  const OpDef* op = made->op;
  std::optional<Node> node;  // a copy: rules append to the graph
  for (const auto rules : {layout_rules(), algebra_rules()})
    for (const SimplificationRule& rule : rules) {
      if (rule.op != nullptr ? rule.op != op : !op->elementwise) continue;
      if (!node) node = *builder.graph().producer(v);
      const Origins outer = std::exchange(seen_, {}),
                    own = std::exchange(builder.from.origins, node->from.origins);
      const Value with = rule.apply(*this, *node);
      seen_ = outer;
      builder.from.origins = own;
      if (with.valid() && with != v) {
        ++rewritten;
        return with;
      }
    }
  return v;
}

namespace {

Graph canonical(const Graph& graph) {
  constexpr int kRounds = 4;  // a rule may make room for one at an earlier node
  Graph current = graph;
  for (int round = 0; round < kRounds; ++round) {
    Rewriter r(current);
    Simplifier s(r.builder);
    for (const Node& node : current.nodes()) {
      r.at(node);
      const Values copies = r.copy(node);
      if (copies.size() != 1) continue;
      if (const Value with = s.simplify(copies[0]); with != copies[0])
        r.replace(node.results[0], with);
    }
    if (s.rewritten == 0) break;
    current = r.finish();
  }
  return current;
}

}  // namespace

Graph canonicalize(const Graph& graph, PassContext&) { return with_regions(graph, canonical); }

}  // namespace weft::ir
