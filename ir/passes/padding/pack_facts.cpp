// ir/passes/padding/pack_facts.cpp -- what is known while packing is chosen.
#include "ir/passes/padding/pack_facts.h"

#include <algorithm>

namespace weft::ir {

PackFacts::PackFacts(const Graph& graph, const Sequences& sequences)
    : g(graph),
      s(sequences),
      readers(uses(graph)),
      rows(sequences.steps * sequences.batch),
      form(static_cast<size_t>(graph.value_count())),
      zero(form.size()),
      packed_zero(form.size()),
      use(graph.nodes().size()) {}

bool PackFacts::is_output(Value v) const {
  return std::any_of(g.outputs().begin(), g.outputs().end(),
                     [&](const Output& o) { return o.value == v; });
}

bool PackFacts::leads(Value v, const Dim& first, const Dim& second) const {
  const TensorType& t = g.type(v);
  return t.rank() >= 2 && t.dim(0) == first && t.dim(1) == second;
}

RowAxes PackFacts::form_of_type(Value v) const {
  if (leads(v, s.steps, s.batch)) return {2, false};
  if (leads(v, s.batch, s.steps)) return {2, true};
  return {};
}

std::vector<bool> PackFacts::zeros(const Node& node,
                                   const std::function<bool(Value)>& is_zero) const {
  std::vector<bool> zero_operands;
  for (const Value v : node.operands) zero_operands.push_back(is_zero(v) || is_zero_constant(g, v));
  return zero_operands;
}

std::vector<bool> PackFacts::original_zeros(const Node& node) const {
  return zeros(node, [&](Value v) { return form_of(v).axes > 0 && zero[at(v)]; });
}

// What `pack` makes has zeros behind the real rows.
std::vector<bool> PackFacts::packed_zeros(const Node& node) const {
  return zeros(
      node, [&](Value v) { return form_of(v).axes > 0 && (!is_packed(v) || packed_zero[at(v)]); });
}

}  // namespace weft::ir
