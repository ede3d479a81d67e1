// ir/rewrite/prologue.cpp -- what a graph computes from its parameters alone, apart from the rest.
#include "ir/rewrite/prologue.h"

#include "ir/rewrite/rewrite.h"

#include <algorithm>

namespace weft::ir {
namespace {

class Splitter {
 public:
  explicit Splitter(const Graph& graph) : graph_(graph) {
    fixed_.resize(static_cast<size_t>(graph.value_count()));
    rooted_.resize(fixed_.size());
    for (const Argument& a : graph.arguments())
      fixed_[at(a.value)] = rooted_[at(a.value)] = a.kind == ArgumentKind::parameter && !a.donated;
    for (const Node& node : graph.nodes()) look_at(node);
  }

  Prologue split() const {
    const Values crossing = crossing_values();
    Rewriter first(graph_), rest(graph_);
    for (const Node& node : graph_.nodes())
      if (fixed_[at(node.results[0])]) first.copy(node);
    Graph prologue = first.builder.graph();
    std::vector<Output> outputs;
    for (const Value v : crossing) {
      const std::string name = concat("prologue.", outputs.size());
      outputs.push_back({name, first(v)});
      rest.replace(v, rest.builder.graph().add_argument(graph_.type(v), name));
    }
    prologue.set_outputs(std::move(outputs));
    for (const Node& node : graph_.nodes())
      if (std::none_of(node.results.begin(), node.results.end(), [&](Value v) {
            return std::find(crossing.begin(), crossing.end(), v) != crossing.end();
          }))
        rest.copy(node);
    return {only_parameters(drop_dead(prologue)), rest.finish()};
  }

 private:
  static size_t at(Value v) { return static_cast<size_t>(v.id); }

  void look_at(const Node& node) {
    bool fixed = node.regions.empty(), rooted = false;
    for (const Value v : node.operands) {
      fixed = fixed && fixed_[at(v)];
      rooted = rooted || rooted_[at(v)];
    }
    for (const Value v : node.results)
      for (const Dim& d : graph_.type(v).shape) fixed = fixed && d.is_constant();
    for (const Value v : node.results) {
      fixed_[at(v)] = fixed;
      rooted_[at(v)] = fixed && rooted;
    }
  }

  // Values of the prologue that the rest reads, through views of its own.
  Values crossing_values() const {
    Values found;
    std::vector<char> seen(fixed_.size());
    const auto read = [&](Value v, const auto& self) -> void {
      const Node* const node = graph_.producer(v);
      if (node == nullptr || !rooted_[at(v)] || seen[at(v)] != 0) return;
      seen[at(v)] = 1;
      if (!ops::is_view(*node->op)) return found.push_back(v);
      for (const Value operand : node->operands) self(operand, self);
    };
    for (const Node& node : graph_.nodes())
      if (!fixed_[at(node.results[0])])
        for (const Value v : node.operands) read(v, read);
    for (const Output& o : graph_.outputs()) read(o.value, read);
    return found;
  }

  // Without the arguments that nothing there reads.
  static Graph only_parameters(const Graph& graph) {
    Graph to;
    to.name = graph.name + "_prologue";
    Builder builder(to);
    const auto used = uses(graph);
    Values map(static_cast<size_t>(graph.value_count()));
    for (const Argument& a : graph.arguments())
      if (!used[at(a.value)].empty())
        map[at(a.value)] = to.add_argument(graph.type(a.value), graph.info(a.value).name, a.kind,
                                           a.path, a.initializer, a.trainable);
    for (const Node& node : graph.nodes()) {
      Values operands;
      for (const Value v : node.operands) operands.push_back(map[at(v)]);
      const Values made = to.add_copy(graph, node, operands);
      for (size_t i = 0; i < made.size(); ++i) map[at(node.results[i])] = made[i];
    }
    for (const Output& o : graph.outputs()) to.add_output(o.name, map[at(o.value)]);
    return to;
  }

  const Graph& graph_;
  std::vector<char> fixed_;   // by value: of parameters and constants alone
  std::vector<char> rooted_;  // ... and of a parameter at that
};

}  // namespace

Prologue split_prologue(const Graph& graph) { return Splitter(graph).split(); }

}  // namespace weft::ir
