// ir/passes/fuse/cells/fuse_cells.cpp -- the equations of GRU and LSTM cells become one op.
#include "ir/passes/fuse/cells/fuse_cells.h"

#include "ir/error.h"
#include "ir/passes/fuse/cells/cells.h"
#include "ir/passes/loops/regions.h"

#include <algorithm>

namespace weft::ir {
namespace {

Graph fused(const Graph& graph, PassContext& context, int carries) {
  const auto has = [&](const OpDef& op) {
    return std::any_of(graph.nodes().begin(), graph.nodes().end(),
                       [&](const Node& n) { return n.op == &op; });
  };
  if (!has(ops::tanh) || !has(ops::sigmoid)) return graph;
  const GraphUses readers(graph);
  std::vector<Replacement> found;
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    const int index = static_cast<int>(n);
    std::optional<Replacement> r;
    if (node.op == &ops::add || node.op == &ops::sub) r = find_gru(readers, node, index, context);
    if (node.op == &ops::mul) r = find_lstm(readers, node, index, carries, context);
    if (r) found.push_back(std::move(*r));
  }
  return replace_all(graph, std::move(found));
}

}  // namespace

std::optional<Replacement> nearly_a_cell(const GraphUses& readers, const Node& root,
                                         std::string_view cell, const std::string& why,
                                         PassContext& context) {
  context.near_miss("fuse_cells",
                    concat(where(root), ": ", readers.graph->display_name(root.results[0]),
                           " is nearly a ", cell, ", but ", why));
  return std::nullopt;
}

Graph fuse_cells(const Graph& graph, PassContext& context) {
  return with_owned_regions(graph, [&](const Graph& g, const Node* owner) {
    return fused(g, context,
                 owner != nullptr && owner->op == &ops::scan ? owner->group_sizes[0] : 0);
  });
}

}  // namespace weft::ir
