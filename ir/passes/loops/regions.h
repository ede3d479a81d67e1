// ir/passes/loops/regions.h -- applying a pass to every region, with the node that owns it.
#pragma once
#include "ir/rewrite/rewrite.h"

#include <functional>

namespace weft::ir {

// As with_regions, with the node that owns the region; null for the graph itself.
using OwnedPass = std::function<Graph(const Graph&, const Node* owner)>;

inline Graph with_owned_regions(const Graph& graph, const OwnedPass& pass,
                                const Node* owner = nullptr) {
  bool any = false;
  for (const Node& node : graph.nodes()) any |= !node.regions.empty();
  if (!any) return pass(graph, owner);
  Rewriter r(graph);
  for (const Node& node : graph.nodes()) {
    if (node.regions.empty()) {
      r.copy(node);
      continue;
    }
    Node changed = node;
    for (Graph& region : changed.regions) region = with_owned_regions(region, pass, &node);
    r.copy(changed);
  }
  return pass(r.finish(), owner);
}

}  // namespace weft::ir
