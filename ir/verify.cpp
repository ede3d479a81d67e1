// ir/verify.cpp -- what every graph must satisfy.
//
//   1  every operand and output is a value of the graph, made before it is read
//   2  operand groups are as the op declares them and sum to the operands
//   3  attributes are declared by the op, of the declared kind, and no defaults are spelled out
//   4  the types of results are those the op infers
//   5  a node has as many regions as its op, and each satisfies these invariants itself
//   6  arguments with a path have one each; outputs have one name each
//   7  a node has at least one origin
#include "ir/verify.h"

#include <set>

namespace weft::ir {
namespace {

class Verifier {
 public:
  Verifier(const Graph& graph, const std::string& after) : graph_(graph), after_(after) {}

  void run() {
    std::vector<bool> made(static_cast<size_t>(graph_.value_count()));
    std::set<std::string> paths, names;
    for (const Argument& a : graph_.arguments()) {
      made[static_cast<size_t>(a.value.id)] = true;
      if (!a.path.empty() && !paths.insert(a.path).second)
        fail(6, concat("two arguments have the path '", a.path, "'"));
    }
    for (const Node& node : graph_.nodes()) {
      for (const Value v : node.operands)
        if (v.id < 0 || v.id >= graph_.value_count() || !made[static_cast<size_t>(v.id)])
          fail(1, concat("an operand of '", node.op->name, "' is read before it is made"));
      check_node(node);
      for (const Value v : node.results) made[static_cast<size_t>(v.id)] = true;
    }
    for (const Output& o : graph_.outputs()) {
      if (o.value.id < 0 || o.value.id >= graph_.value_count() ||
          !made[static_cast<size_t>(o.value.id)])
        fail(1, concat("output '", o.name, "' is not made"));
      if (!names.insert(o.name).second) fail(6, concat("two outputs are named '", o.name, "'"));
    }
  }

 private:
  [[noreturn]] void fail(int number, const std::string& what) const {
    throw GraphError(concat("error: ", after_.empty() ? "" : "after pass '" + after_ + "': ", what,
                            " [verify.", number, "]"));
  }
  std::string shown(const Node& node) const {
    std::string s;
    for (const Value v : node.results) s += (s.empty() ? "" : ", ") + graph_.display_name(v);
    s += concat(" = ", node.op->name, "(");
    for (size_t i = 0; i < node.operands.size(); ++i)
      s += (i ? ", " : "") + graph_.display_name(node.operands[i]);
    return s + ")";
  }
  void check_node(const Node& node) {
    int total = 0;
    for (size_t i = 0; i < node.group_sizes.size(); ++i) {
      const int n = node.group_sizes[i];
      total += n;
      const Arity arity = i < node.op->operands.size() ? node.op->operands[i].arity : Arity::one;
      if (n < 0 || (arity == Arity::one && n != 1) || (arity == Arity::optional && n > 1))
        fail(2, concat(shown(node), " has ", n, " operands in group ", i));
    }
    if (node.group_sizes.size() != node.op->operands.size() ||
        total != static_cast<int>(node.operands.size()))
      fail(2, concat(shown(node), " has groups that do not sum to its operands"));
    for (const auto& [name, value] : node.attrs) {
      const AttrDef* def = node.op->attr(name);
      if (def == nullptr) fail(3, concat(shown(node), " has an undeclared attribute '", name, "'"));
      if (!def->required() && def->value() == value)
        fail(3, concat(shown(node), " spells out the default of '", name, "'"));
    }
    if (static_cast<int>(node.regions.size()) != node.op->regions)
      fail(5, concat(shown(node), " has ", node.regions.size(), " regions"));
    for (const Graph& region : node.regions) Verifier(region, after_).run();
    const Types types = node.op->infer(OpView(graph_, node));
    if (types.size() != node.results.size())
      fail(4,
           concat(shown(node), " has ", node.results.size(), " results but infers ", types.size()));
    for (size_t i = 0; i < types.size(); ++i)
      if (types[i] != graph_.type(node.results[i]))
        fail(4, concat(shown(node), " is typed ", graph_.type(node.results[i]), " but infers ",
                       types[i]));
    if (node.from.origins.empty()) fail(7, concat(shown(node), " has no origin"));
  }

  const Graph& graph_;
  const std::string& after_;
};

}  // namespace

void verify(const Graph& graph, const std::string& after) { Verifier(graph, after).run(); }

}  // namespace weft::ir
