// ir/passes/clean/cse.cpp -- equal nodes are computed once.
#include "ir/passes/clean/cse.h"

#include "ir/rewrite/rewrite.h"
#include "ir/text/text.h"

#include <cmath>
#include <map>

namespace weft::ir {
namespace {

using Key = std::pair<const OpDef*, Values>;  // operands as they stand in the new graph

bool same_regions(const Node& a, const Node& b) {
  if (a.regions.size() != b.regions.size()) return false;
  for (size_t i = 0; i < a.regions.size(); ++i)
    if (canonical_text(a.regions[i]) != canonical_text(b.regions[i])) return false;
  return true;
}

// 0 and -0 are equal, but not the same.
bool same_attrs(const Attrs& a, const Attrs& b) {
  if (a != b) return false;
  for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
    const Reals *p = std::get_if<Reals>(&x->second), *q = std::get_if<Reals>(&y->second);
    for (size_t i = 0; p != nullptr && i < p->size(); ++i)
      if (std::signbit((*p)[i]) != std::signbit((*q)[i])) return false;
  }
  return true;
}

Graph merged(const Graph& graph) {
  Rewriter r(graph);
  std::map<Key, std::vector<int>> seen;  // indexes of nodes of `graph`, all kept
  bool changed = false;
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    Key key{node.op, r(node.operands)};
    if (node.op->commutative && key.second[1] < key.second[0])
      std::swap(key.second[0], key.second[1]);
    std::vector<int>& candidates = seen[key];
    const Node* same = nullptr;
    for (const int c : candidates) {
      const Node& other = graph.nodes()[static_cast<size_t>(c)];
      if (same_attrs(other.attrs, node.attrs) && other.group_sizes == node.group_sizes &&
          same_regions(other, node))
        same = &other;
    }
    if (same != nullptr) {
      for (size_t i = 0; i < node.results.size(); ++i)
        r.replace(node.results[i], r(same->results[i]));
      changed = true;
      continue;
    }
    candidates.push_back(static_cast<int>(n));
    r.copy(node);
  }
  return changed ? r.finish() : graph;
}

}  // namespace

Graph cse(const Graph& graph, PassContext&) { return with_regions(graph, merged); }

}  // namespace weft::ir
