// ir/passes/fuse/fuse_top_k.cpp -- log-softmax and the choice of its best become one op.
#include "ir/passes/fuse/fuse_top_k.h"

#include "ir/error.h"
#include "ir/rewrite/pattern.h"

namespace weft::ir {
namespace {

Graph fused(const Graph& graph, PassContext& context) {
  const GraphUses readers(graph);
  std::vector<Replacement> found;
  for (const Node& node : graph.nodes()) {
    if (node.op != &ops::top_k) continue;
    const Value y = node.operands[0];
    const Node* softmax = readers.producer(y, ops::log_softmax);
    if (softmax == nullptr || readers.view(*softmax).axis() != graph.type(y).rank() - 1) continue;
    if (!readers.one(y)) {
      context.near_miss("fuse_top_k", concat(where(node), ": log-probabilities ",
                                             graph.display_name(y), " are read elsewhere too"));
      continue;
    }
    context.done("fuse_top_k", concat(where(node), ": log_softmax and top_k became one op"));
    const Value x = softmax->operands[0];
    found.push_back({.outputs = node.results,
                     .inputs = {x},
                     .nodes = {graph.info(node.results[0]).node, graph.info(y).node},
                     .build = [x, k = readers.view(node).dim("k")](Rewriter& r) {
                       return r.builder.emit_all(ops::log_softmax_top_k, {{r(x)}}, {{"k", k}});
                     }});
  }
  return found.empty() ? graph : replace_all(graph, std::move(found));
}

}  // namespace

Graph fuse_top_k(const Graph& graph, PassContext& context) {
  return with_regions(graph, [&](const Graph& g) { return fused(g, context); });
}

}  // namespace weft::ir
