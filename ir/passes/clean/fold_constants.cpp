// ir/passes/clean/fold_constants.cpp -- what depends on constants alone is computed now.
#include "ir/passes/clean/fold_constants.h"

#include "ir/rewrite/rewrite.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace weft::ir {
namespace {

constexpr int64_t kLargest = 1024;  // elements of a constant made here

bool small(const TensorType& t) {
  int64_t count = 1;
  for (const Dim& d : t.shape) {
    const auto c = d.constant();
    if (!c || __builtin_mul_overflow(count, *c, &count)) return false;
  }
  return count <= kLargest;
}

// Nodes of known value; of them, those that something unknown reads.
struct Known {
  std::vector<char> node;
  Values wanted;
};

Known known_nodes(const Graph& graph) {
  Known k{std::vector<char>(graph.nodes().size()), {}};
  const auto readers = uses(graph);
  bool beyond_constants = false;
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    if (!node.regions.empty() || node.op == &ops::random) continue;
    bool known = node.results.size() == 1 && small(graph.type(node.results[0]));
    for (const Value v : node.operands)
      known &= graph.info(v).node >= 0 && k.node[static_cast<size_t>(graph.info(v).node)] != 0;
    k.node[n] = known;
    beyond_constants |= known && !node.operands.empty();
  }
  if (!beyond_constants) return k;
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    if (!k.node[n] || node.operands.empty()) continue;
    const auto& list = readers[static_cast<size_t>(node.results[0].id)];
    if (std::any_of(list.begin(), list.end(),
                    [&](int reader) { return reader < 0 || !k.node[static_cast<size_t>(reader)]; }))
      k.wanted.push_back(node.results[0]);
  }
  return k;
}

// One value for all if they are the same, the sign of zeros included; of no elements any.
template <typename List, typename Same>
Attr values(List list, const Same& same) {
  if (list.empty()) list.emplace_back(0);
  if (std::all_of(list.begin(), list.end(), [&](auto v) { return same(v, list.front()); }))
    list.resize(1);
  return list;
}
Attr reals(const Array& a) {
  Reals list;
  for (int64_t i = 0; i < a.size(); ++i) list.push_back(a.at(i));
  return values(std::move(list),
                [](double x, double y) { return x == y && std::signbit(x) == std::signbit(y); });
}
Attr integers(const Array& a) {
  Integers list;
  for (int64_t i = 0; i < a.size(); ++i) list.push_back(a.integer_at(i));
  return values(std::move(list), std::equal_to<>());
}

Graph folded(const Graph& graph, PassContext& context) {
  const Known known = known_nodes(graph);
  if (known.wanted.empty()) return graph;
  Graph alone;
  Values map(static_cast<size_t>(graph.value_count()));
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    if (!known.node[n]) continue;
    const Node& node = graph.nodes()[n];
    Values operands;
    for (const Value v : node.operands) operands.push_back(map[static_cast<size_t>(v.id)]);
    map[static_cast<size_t>(node.results[0].id)] = alone.add_copy(graph, node, operands)[0];
  }
  for (const Value v : known.wanted)
    alone.add_output("c" + std::to_string(v.id), map[static_cast<size_t>(v.id)]);
  std::vector<Array> values;
  try {
    values = context.evaluate(drop_dead(alone));
  } catch (const GraphError&) {
    return graph;  // a division by zero, an index out of range: it fails when the graph runs
  }
  Rewriter r(graph);
  for (const Node& node : graph.nodes()) {
    const auto it = node.results.size() == 1
                        ? std::find(known.wanted.begin(), known.wanted.end(), node.results[0])
                        : known.wanted.end();
    if (it == known.wanted.end()) {
      r.copy(node);
      continue;
    }
    const Array& a = values[static_cast<size_t>(it - known.wanted.begin())];
    const TensorType& type = graph.type(node.results[0]);
    r.at(node);
    r.replace(node.results[0],
              r.builder.emit(ops::constant, {},
                             {{"dtype", type.dtype},
                              {"shape", type.shape},
                              {"values", is_float(a.dtype()) ? reals(a) : integers(a)}}));
  }
  return r.finish();
}

}  // namespace

Graph fold_constants(const Graph& graph, PassContext& context) {
  if (!context.evaluate) return graph;
  return with_regions(graph, [&](const Graph& g) { return folded(g, context); });
}

}  // namespace weft::ir
