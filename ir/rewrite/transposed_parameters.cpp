// ir/rewrite/transposed_parameters.cpp -- a graph that reads matrices among its parameters the other
// way round.
#include "ir/rewrite/transposed_parameters.h"

#include "ir/rewrite/builder.h"
#include "ir/rewrite/rewrite.h"

#include <algorithm>

namespace weft::ir {
namespace {

class Turner {
 public:
  Turner(const Graph& graph, const std::function<bool(std::string_view)>& is)
      : graph_(graph),
        builder_(to_),
        map_(static_cast<size_t>(graph.value_count())),
        turned_(map_.size()) {
    to_.name = graph.name;
    for (const Argument& a : graph.arguments()) add(a, is);
    for (const Node& node : graph.nodes()) add(node);
    for (const Output& o : graph.outputs()) to_.add_output(o.name, upright(o.value));
  }

  Graph finish() { return drop_dead(to_); }

 private:
  static size_t at(Value v) { return static_cast<size_t>(v.id); }

  void add(const Argument& a, const std::function<bool(std::string_view)>& is) {
    TensorType type = graph_.type(a.value);
    const bool turns =
        a.kind == ArgumentKind::parameter && !a.donated && type.rank() == 2 && is(a.path);
    if (turns) std::swap(type.shape[0], type.shape[1]);
    const Value v =
        to_.add_argument(type, graph_.info(a.value).name, a.kind,
                         turns ? transposed_path(a.path) : a.path, a.initializer, a.trainable);
    to_.set_donated(static_cast<int>(to_.arguments().size()) - 1, a.donated);
    (turns ? turned_ : map_)[at(a.value)] = v;
  }

  void add(const Node& node) {
    if (const Value v = of_turned(node); v.valid()) {
      turned_[at(node.results[0])] = v;
      return;
    }
    Values operands;
    for (const Value v : node.operands) operands.push_back(upright(v));
    const Values made = to_.add_copy(graph_, node, operands);
    for (size_t i = 0; i < made.size(); ++i) map_[at(node.results[i])] = made[i];
  }

  // The result's transpose, where it is made of turned matrices alone.
  Value of_turned(const Node& node) {
    Values operands;
    for (const Value v : node.operands) operands.push_back(turned_[at(v)]);
    if (operands.empty() ||
        !std::all_of(operands.begin(), operands.end(), [](Value v) { return v.valid(); }))
      return {};
    builder_.from = node.from;
    if (node.op == &ops::cast) return builder_.emit(*node.op, {operands}, node.attrs);
    if (node.op != &ops::concat) return {};
    return builder_.concat(operands, -3 - OpView(graph_, node).integer("axis"));
  }

  // What stands for a value of the graph.
  Value upright(Value v) {
    if (!map_[at(v)].valid()) {
      builder_.from = {};
      map_[at(v)] = builder_.transpose(turned_[at(v)], {1, 0});
    }
    return map_[at(v)];
  }

  const Graph& graph_;
  Graph to_;
  Builder builder_;
  Values map_, turned_;  // by value: what stands for it, what stands for its transpose
};

}  // namespace

Graph with_transposed_parameters(const Graph& graph,
                                 const std::function<bool(std::string_view path)>& is) {
  return Turner(graph, is).finish();
}

}  // namespace weft::ir
