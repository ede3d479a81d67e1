// ir/rewrite/rewrite.cpp -- making a new graph out of an old one.
#include "ir/rewrite/rewrite.h"

#include "ir/check.h"

#include <algorithm>

namespace weft::ir {

Rewriter::Rewriter(const Graph& from)
    : builder(to_), from_(&from), map_(static_cast<size_t>(from.value_count())) {
  to_.name = from.name;
  for (const Argument& a : from.arguments()) {
    map_[static_cast<size_t>(a.value.id)] = to_.add_argument(
        from.type(a.value), from.info(a.value).name, a.kind, a.path, a.initializer, a.trainable);
    to_.set_donated(static_cast<int>(to_.arguments().size()) - 1, a.donated);
  }
}

Value Rewriter::operator()(Value old) const {
  const Value v = map_[static_cast<size_t>(old.id)];
  WEFT_CHECK(v.valid());
  return v;
}

Values Rewriter::operator()(const Values& old) const {
  Values out;
  for (const Value v : old) out.push_back((*this)(v));
  return out;
}

void Rewriter::replace(Value old, Value with) {
  map_[static_cast<size_t>(old.id)] = with;
  if (to_.info(with).name.empty() && !from_->info(old).name.empty())
    to_.set_name(with, from_->info(old).name);
}

Values Rewriter::copy(const Node& node) {
  const Values results = to_.add_copy(*from_, node, (*this)(node.operands));
  for (size_t i = 0; i < results.size(); ++i)
    map_[static_cast<size_t>(node.results[i].id)] = results[i];
  return results;
}

Values Rewriter::copy(const Node& node, std::vector<Graph> regions) {
  OperandGroups groups;
  size_t at = 0;
  for (const int n : node.group_sizes) {
    groups.emplace_back();
    for (int i = 0; i < n; ++i) groups.back().push_back((*this)(node.operands[at++]));
  }
  const Values results = to_.add(*node.op, groups, node.attrs, node.from, std::move(regions));
  for (size_t i = 0; i < node.results.size() && i < results.size(); ++i)
    replace(node.results[i], results[i]);
  return results;
}

Graph Rewriter::finish() {
  for (const Output& o : from_->outputs()) to_.add_output(o.name, (*this)(o.value));
  return drop_dead(to_);
}

Graph rewrite_nodes(const Graph& graph, const NodeRule& rule) {
  Rewriter r(graph);
  for (const Node& node : graph.nodes()) {
    r.at(node);
    if (const auto replacements = rule(r, node)) {
      WEFT_CHECK(replacements->size() == node.results.size());
      for (size_t i = 0; i < node.results.size(); ++i)
        r.replace(node.results[i], (*replacements)[i]);
    } else {
      r.copy(node);
    }
  }
  return r.finish();
}

Graph with_regions(const Graph& graph, const std::function<Graph(const Graph&)>& pass) {
  bool any = false;
  for (const Node& node : graph.nodes()) any |= !node.regions.empty();
  if (!any) return pass(graph);
  Rewriter r(graph);
  for (const Node& node : graph.nodes()) {
    if (node.regions.empty()) {
      r.copy(node);
      continue;
    }
    Node changed = node;
    for (Graph& region : changed.regions) region = with_regions(region, pass);
    r.copy(changed);
  }
  return pass(r.finish());
}

bool contains(const Graph& graph, const OpDef& op) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [&](const Node& node) {
    return node.op == &op || std::any_of(node.regions.begin(), node.regions.end(),
                                         [&](const Graph& g) { return contains(g, op); });
  });
}

Graph drop_dead(const Graph& graph) {
  std::vector<char> needed(graph.nodes().size());
  const auto need = [&](Value v) {
    if (const int n = graph.info(v).node; n >= 0) needed[static_cast<size_t>(n)] = 1;
  };
  for (const Output& o : graph.outputs()) need(o.value);
  bool all = true;
  for (size_t n = graph.nodes().size(); n-- > 0;) {
    if (needed[n])
      for (const Value v : graph.nodes()[n].operands) need(v);
    else
      all = false;
  }
  if (all) return graph;
  Graph to;
  to.name = graph.name;
  Values map(static_cast<size_t>(graph.value_count()));
  for (const Argument& a : graph.arguments()) {
    map[static_cast<size_t>(a.value.id)] = to.add_argument(
        graph.type(a.value), graph.info(a.value).name, a.kind, a.path, a.initializer, a.trainable);
    to.set_donated(static_cast<int>(to.arguments().size()) - 1, a.donated);
  }
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    if (!needed[n]) continue;
    const Node& node = graph.nodes()[n];
    Values operands;
    for (const Value v : node.operands) operands.push_back(map[static_cast<size_t>(v.id)]);
    const Values results = to.add_copy(graph, node, operands);
    for (size_t i = 0; i < results.size(); ++i)
      map[static_cast<size_t>(node.results[i].id)] = results[i];
  }
  for (const Output& o : graph.outputs())
    to.add_output(o.name, map[static_cast<size_t>(o.value.id)]);
  return to;
}

}  // namespace weft::ir
