// backends/onednn/plan/group_elementwise.cpp -- chains of elementwise nodes that run as one kernel.
//
//   %a = mul(%x, %y)      %b = add(%a, %z)      %c = tanh(%b)      one pass over memory, not three
//
// A node joins the group of its readers when they all are in it and its result has the shape the
// group iterates over (so nothing is computed twice). The group runs where its last node stands.
#include "backends/onednn/plan/units.h"

#include <algorithm>

namespace weft::onednn {
namespace {

constexpr size_t kMostNodes = 48, kMostInputs = 24;

// Values a group reads from outside.
size_t input_count(const ir::Graph& graph, const std::vector<int>& group,
                   const std::vector<int>& group_of, int id) {
  ir::Values seen;
  for (const int n : group)
    for (const ir::Value v : graph.nodes()[static_cast<size_t>(n)].operands) {
      const int made_by = graph.info(v).node;
      if (made_by >= 0 && group_of[static_cast<size_t>(made_by)] == id) continue;
      if (std::find(seen.begin(), seen.end(), v) == seen.end()) seen.push_back(v);
    }
  return seen.size();
}

}  // namespace

std::vector<std::vector<int>> group_elementwise(const ir::Graph& graph,
                                                std::span<const Lowering> lowerings, bool enabled) {
  const auto groups = [&](const ir::Node& node) {
    const Lowering* lowering = find_lowering(lowerings, node.op);
    return lowering != nullptr && lowering->groups != nullptr &&
           lowering->groups(ir::OpView(graph, node));
  };
  const auto readers = ir::uses(graph);
  const int count = static_cast<int>(graph.nodes().size());
  std::vector<int> group_of(static_cast<size_t>(count), -1);
  std::vector<std::vector<int>> by_root(static_cast<size_t>(count));
  for (int root = count - 1; root >= 0; --root) {
    if (group_of[static_cast<size_t>(root)] >= 0) continue;
    group_of[static_cast<size_t>(root)] = root;
    std::vector<int>& group = by_root[static_cast<size_t>(root)];
    group = {root};
    const ir::Node& last = graph.nodes()[static_cast<size_t>(root)];
    if (!enabled || !groups(last)) continue;
    const ir::Shape& shape = graph.type(last.results[0]).shape;
    const auto joins = [&](int n) {
      const ir::Node& node = graph.nodes()[static_cast<size_t>(n)];
      if (group_of[static_cast<size_t>(n)] >= 0 || !groups(node)) return false;
      if (graph.type(node.results[0]).shape != shape) return false;
      for (const int reader : readers[static_cast<size_t>(node.results[0].id)])
        if (reader < 0 || group_of[static_cast<size_t>(reader)] != root) return false;
      return true;
    };
    // Later nodes first: a node is considered when all of its readers have been.
    while (group.size() < kMostNodes) {
      int best = -1;
      for (const int member : group)
        for (const ir::Value v : graph.nodes()[static_cast<size_t>(member)].operands)
          if (const int n = graph.info(v).node; n > best && joins(n)) best = n;
      if (best < 0) break;
      group.push_back(best);
      group_of[static_cast<size_t>(best)] = root;
      if (input_count(graph, group, group_of, root) > kMostInputs) {
        group_of[static_cast<size_t>(best)] = -1;
        group.pop_back();
        break;
      }
    }
    std::sort(group.begin(), group.end());
  }
  std::vector<std::vector<int>> groups_in_order;
  for (std::vector<int>& group : by_root)
    if (!group.empty()) groups_in_order.push_back(std::move(group));
  return groups_in_order;
}

}  // namespace weft::onednn
