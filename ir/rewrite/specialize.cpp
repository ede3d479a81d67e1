// ir/rewrite/specialize.cpp -- sizes replaced by others, everything inferred and checked anew.
#include "ir/check.h"
#include "ir/rewrite/rewrite.h"

namespace weft::ir {
namespace {

class Replacement {
 public:
  explicit Replacement(const std::function<Dim(const Dim&)>& size) : size_(size) {}

  Graph graph(const Graph& from) {
    Graph to;
    to.name = from.name;
    Values map(static_cast<size_t>(from.value_count()));
    for (const Argument& a : from.arguments()) {
      map[static_cast<size_t>(a.value.id)] =
          to.add_argument(type(from.type(a.value)), from.info(a.value).name, a.kind, a.path,
                          a.initializer, a.trainable);
      to.set_donated(static_cast<int>(to.arguments().size()) - 1, a.donated);
    }
    for (const Node& node : from.nodes()) {
      OperandGroups groups;
      size_t at = 0;
      for (const int n : node.group_sizes) {
        groups.emplace_back();
        for (int i = 0; i < n; ++i)
          groups.back().push_back(map[static_cast<size_t>(node.operands[at++].id)]);
      }
      std::vector<Graph> regions;
      for (const Graph& r : node.regions) regions.push_back(graph(r));
      Attrs attrs = attributes(node);
      if (node.op == &ops::scan)
        ops::set_row_carries(attrs, to, groups, ops::ScanParts(OpView(from, node)).row_carry);
      const Values results =
          to.add(*node.op, groups, std::move(attrs), node.from, std::move(regions));
      WEFT_CHECK(results.size() == node.results.size());
      for (size_t i = 0; i < results.size(); ++i) {
        map[static_cast<size_t>(node.results[i].id)] = results[i];
        to.set_name(results[i], from.info(node.results[i]).name);
      }
    }
    for (const Output& o : from.outputs())
      to.add_output(o.name, map[static_cast<size_t>(o.value.id)]);
    return to;
  }

 private:
  TensorType type(const TensorType& t) const {
    TensorType s{t.dtype, {}};
    for (const Dim& d : t.shape) {
      s.shape.push_back(size_(d));
      if (const auto c = s.shape.back().constant(); c && *c < 0)
        throw GraphError(concat("the size ", d, " of ", t, " would be ", *c, " with these sizes"));
    }
    return s;
  }
  Attrs attributes(const Node& node) const {
    Attrs attrs;
    for (const auto& [name, value] : node.attrs) {
      if (const Dim* d = std::get_if<Dim>(&value)) {
        attrs.set(name, size_(*d));
      } else if (const Shape* s = std::get_if<Shape>(&value)) {
        Shape sizes;
        for (const Dim& d : *s) sizes.push_back(size_(d));
        attrs.set(name, sizes);
      } else {
        attrs.set(name, value);
      }
    }
    return attrs;
  }

  const std::function<Dim(const Dim&)>& size_;
};

}  // namespace

Graph with_sizes(const Graph& graph, const std::function<Dim(const Dim&)>& size) {
  return Replacement(size).graph(graph);
}

Graph specialize(const Graph& graph, const Bindings& bindings) {
  return with_sizes(graph, [&](const Dim& d) { return Dim(d.value(bindings)); });
}

}  // namespace weft::ir
