// ir/rules/distinct_axes.cpp -- axes of the whole graph, solved; symbols for those of rows.
#include "ir/rules/distinct_axes.h"

#include "ir/check.h"
#include "ir/rewrite/rewrite.h"
#include "ir/rules/axes.h"

#include <algorithm>
#include <set>

namespace weft::ir {
namespace {

// The axes of a graph's values and of its nodes' attributes.
struct GraphAxes {
  std::vector<AxisList> values;
  std::vector<std::vector<std::pair<std::string, AxisList>>> attrs;  // by node
  std::vector<std::vector<GraphAxes>> regions;                       // by node
};

bool counts_rows(const Node& node) {
  return (node.op == &ops::scan && node.group_sizes.back() > 0) || node.op == &ops::length_mask ||
         node.op == &ops::length_order || node.op == &ops::pack || node.op == &ops::unpack ||
         node.op == &ops::packed_attention || node.op == &ops::packed_attention_grad;
}

bool any_rows(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const Node& n) {
    return counts_rows(n) || std::any_of(n.regions.begin(), n.regions.end(), any_rows);
  });
}

class Solution {
 public:
  AxisSolver axes;
  std::vector<Axis> rows, steps;  // that lengths count

  GraphAxes solve(const Graph& graph, const std::vector<AxisList>& arguments) {
    GraphAxes g;
    g.values.resize(static_cast<size_t>(graph.value_count()));
    for (size_t i = 0; i < arguments.size(); ++i)
      g.values[at(graph.arguments()[i].value)] = arguments[i];
    for (const Node& node : graph.nodes()) {
      g.attrs.emplace_back();
      g.regions.emplace_back();
      NodeAxes n{OpView(graph, node), axes, {}};
      for (const Value v : node.operands) n.operands.push_back(g.values[at(v)]);
      if (node.op == &ops::scan)
        solve_scan(n, g.regions.back());
      else if (node.op == &ops::custom_vjp)
        solve_custom(n, g.regions.back());
      else if (!solve_axes(n))
        fix(n);
      WEFT_CHECK(n.results.size() == node.results.size());
      for (size_t r = 0; r < node.results.size(); ++r) {
        WEFT_CHECK(static_cast<int>(n.results[r].size()) == graph.type(node.results[r]).rank());
        g.values[at(node.results[r])] = n.results[r];
      }
      find_rows(n);
      g.attrs.back() = std::move(n.attrs);
    }
    return g;
  }

  AxisList fresh(const TensorType& type) {
    AxisList list;
    for (const Dim& d : type.shape) list.push_back(axes.fresh(d));
    return list;
  }

 private:
  static size_t at(Value v) { return static_cast<size_t>(v.id); }

  void fix(NodeAxes& n) {
    for (const AxisList& x : n.operands)
      for (const Axis a : x) axes.fix(a);
    for (size_t r = 0; r < n.op.node().results.size(); ++r) {
      n.results.emplace_back();
      for (const Dim& d : n.op.result(static_cast<int>(r)).shape)
        n.results.back().push_back(axes.fixed(d));
    }
  }

  AxisList outputs(const Graph& region, const GraphAxes& g, size_t i) const {
    return g.values[at(region.outputs()[i].value)];
  }

  void solve_scan(NodeAxes& n, std::vector<GraphAxes>& regions) {
    const ops::ScanParts parts(n.op);
    const auto carries = static_cast<size_t>(parts.carries),
               scanned = static_cast<size_t>(parts.scanned);
    Axis steps = -1;
    if (n.op.is_set("steps")) steps = n.new_dim("steps");
    std::vector<AxisList> arguments;
    for (size_t i = 0; i < n.operands.size(); ++i) {
      AxisList x = n.operands[i];
      if (i >= carries && i < carries + scanned) {
        const auto axis = static_cast<std::ptrdiff_t>(parts.axes[i - carries]);
        if (steps >= 0) axes.same(steps, x[static_cast<size_t>(axis)]);
        steps = x[static_cast<size_t>(axis)];
        x.erase(x.begin() + axis);
      }
      arguments.push_back(std::move(x));  // %live is of the type of the lengths
    }
    const Graph& body = n.op.region();
    regions.push_back(solve(body, arguments));
    const GraphAxes& g = regions.back();
    for (size_t i = 0; i < carries; ++i) {
      axes.same(n.operands[i], outputs(body, g, i));
      if (parts.row_carry[i] && !n.operands[i].empty())
        axes.same(n.operands[i][0], n.operands.back()[0]);
      n.results.push_back(n.operands[i]);
    }
    for (size_t i = 0; i < static_cast<size_t>(parts.stacked); ++i) {
      AxisList y = outputs(body, g, carries + i);
      if (parts.has_lengths) axes.same(y[0], n.operands.back()[0]);
      y.insert(y.begin() + static_cast<std::ptrdiff_t>(parts.out_axes[i]), steps);
      n.results.push_back(std::move(y));
    }
    if (!parts.has_lengths) return;
    rows.push_back(n.operands.back()[0]);
    this->steps.push_back(steps);
  }

  void solve_custom(NodeAxes& n, std::vector<GraphAxes>& regions) {
    const Graph &forward = n.op.region(0), &backward = n.op.region(1);
    regions.push_back(solve(forward, n.operands));
    for (size_t i = 0; i < forward.outputs().size(); ++i)
      n.results.push_back(outputs(forward, regions[0], i));
    std::vector<AxisList> arguments = n.operands;
    for (int round = 0; round < 2; ++round)
      arguments.insert(arguments.end(), n.results.begin(), n.results.end());
    regions.push_back(solve(backward, arguments));
    size_t adjoint = 0;
    for (size_t i = 0; i < n.operands.size(); ++i)
      if (is_float(n.op.operand(static_cast<int>(i)).dtype))
        axes.same(n.operands[i], outputs(backward, regions[1], adjoint++));
  }

  void find_rows(const NodeAxes& n) {
    if (n.op.node().op == &ops::scan || !counts_rows(n.op.node())) return;
    for (const std::string_view name : {"lengths", "q_lengths", "k_lengths"})
      if (n.has(name)) rows.insert(rows.end(), n.operand(name).begin(), n.operand(name).end());
    if (n.op.node().op == &ops::pack)
      steps.push_back(n.operands[0][n.op.flag("by_sequence") ? 1 : 0]);
    for (const auto& [name, list] : n.attrs) steps.insert(steps.end(), list.begin(), list.end());
  }
};

// The graph again, its sizes as `size` has them by axis.
class Writer {
 public:
  Writer(const AxisSolver& axes, std::map<std::string, Dim, std::less<>> names)
      : axes_(axes), names_(std::move(names)) {}

  Graph write(const Graph& from, const GraphAxes& g) {
    Graph to;
    to.name = from.name;
    Values map(static_cast<size_t>(from.value_count()));
    for (const Argument& a : from.arguments()) {
      map[at(a.value)] =
          to.add_argument({from.type(a.value).dtype, shape(g.values[at(a.value)])},
                          from.info(a.value).name, a.kind, a.path, a.initializer, a.trainable);
      to.set_donated(static_cast<int>(to.arguments().size()) - 1, a.donated);
    }
    for (size_t n = 0; n < from.nodes().size(); ++n) {
      const Node& node = from.nodes()[n];
      OperandGroups groups;
      size_t k = 0;
      for (const int size : node.group_sizes) {
        groups.emplace_back();
        for (int i = 0; i < size; ++i) groups.back().push_back(map[at(node.operands[k++])]);
      }
      Attrs attrs = node.attrs;
      for (const auto& [name, list] : g.attrs[n])
        if (attrs.find(name) != nullptr)
          attrs.set(name, node.op->attr(name)->kind == AttrKind::dim ? Attr(shape(list)[0])
                                                                     : Attr(shape(list)));
      std::vector<Graph> regions;
      for (size_t r = 0; r < node.regions.size(); ++r)
        regions.push_back(write(node.regions[r], g.regions[n][r]));
      if (node.op == &ops::scan)
        ops::set_row_carries(attrs, to, groups, ops::ScanParts(OpView(from, node)).row_carry);
      const Values made = to.add(*node.op, groups, std::move(attrs), node.from, std::move(regions));
      for (size_t i = 0; i < made.size(); ++i) {
        WEFT_CHECK(to.type(made[i]).shape == shape(g.values[at(node.results[i])]));
        map[at(node.results[i])] = made[i];
        to.set_name(made[i], from.info(node.results[i]).name);
      }
    }
    for (const Output& o : from.outputs()) to.add_output(o.name, map[at(o.value)]);
    return to;
  }

 private:
  static size_t at(Value v) { return static_cast<size_t>(v.id); }

  Shape shape(const AxisList& list) {
    Shape s;
    for (const Axis a : list) {
      const auto [known, is_new] = known_.try_emplace(a);
      if (is_new) known->second = axes_.resolved(a).substitute(names_);
      s.push_back(known->second);
    }
    return s;
  }

  const AxisSolver& axes_;
  const std::map<std::string, Dim, std::less<>> names_;  // of classes
  std::map<Axis, Dim> known_;
};

void collect_symbols(const Graph& graph, std::set<std::string>& symbols) {
  for (int id = 0; id < graph.value_count(); ++id)
    for (const Dim& d : graph.type({id}).shape)
      for (std::string& s : d.symbols()) symbols.insert(std::move(s));
  for (const Node& node : graph.nodes())
    for (const Graph& region : node.regions) collect_symbols(region, symbols);
}

// "rows_4", "steps_T".
std::string new_symbol(const char* kind, const Dim& size, std::set<std::string>& taken) {
  std::string name = concat(kind, "_", size);
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  for (int n = 2; !taken.insert(name).second; ++n) name = concat(kind, "_", size, "_", n);
  return name;
}

}  // namespace

DistinctAxes::DistinctAxes(const Graph& graph) : original_(&graph) {
  if (!any_rows(graph)) return;
  Solution s;
  std::vector<AxisList> arguments;
  for (const Argument& a : graph.arguments()) arguments.push_back(s.fresh(graph.type(a.value)));
  const GraphAxes solved = s.solve(graph, arguments);

  std::map<Dim, std::set<Dim>> meanings;  // of a size: the axes, resolved, that have it
  for (Axis a = 0; a < s.axes.count(); ++a) meanings[s.axes.size(a)].insert(s.axes.resolved(a));
  std::set<std::string> taken;
  collect_symbols(graph, taken);
  std::map<std::string, Dim, std::less<>> names;
  for (Axis a = 0; a < s.axes.count(); ++a)
    if (s.axes.root(a) == a && !s.axes.is_fixed(a))
      names[AxisSolver::symbol_of(a)] = s.axes.size(a);
  for (const auto& [kind, axes] : {std::pair{"rows", &s.rows}, std::pair{"steps", &s.steps}})
    for (const Axis a : *axes) {
      const Dim is = s.axes.resolved(a);
      const std::vector<Axis> classes = s.axes.classes_of(is);
      if (classes.empty() && meanings[s.axes.size(a)].size() > 1) apart_ = false;
      for (const Axis c : classes) {
        const Dim size = s.axes.size(c);
        Dim& name = names[AxisSolver::symbol_of(c)];
        if (name != size || (!size.is_constant() && meanings[size].size() == 1)) continue;
        const std::string symbol = new_symbol(kind, size, taken);
        name = Dim::symbol(symbol);
        sizes_[symbol] = size;
      }
    }
  if (apart_ && !sizes_.empty()) distinct_ = Writer(s.axes, std::move(names)).write(graph, solved);
}

std::vector<bool> row_arguments(const OpView& scan) {
  const ops::ScanParts parts(scan);
  const Graph& body = scan.region();
  Solution s;
  std::vector<AxisList> arguments;
  for (const Argument& a : body.arguments()) arguments.push_back(s.fresh(body.type(a.value)));
  const Axis rows = arguments.back()[0];
  const GraphAxes solved = s.solve(body, arguments);
  for (size_t i = 0; i < body.outputs().size(); ++i) {
    const AxisList& y = solved.values[static_cast<size_t>(body.outputs()[i].value.id)];
    const bool carried = static_cast<int>(i) < parts.carries;
    if (carried) s.axes.same(arguments[i], y);
    if (!carried || parts.row_carry[i]) s.axes.same(y[0], rows);
  }
  std::vector<bool> led;
  for (const AxisList& x : arguments)
    led.push_back(!x.empty() && s.axes.resolved(x[0]) == s.axes.resolved(rows));
  return led;
}

General most_general(const Graph& graph) {
  Solution s;
  std::vector<AxisList> arguments;
  for (const Argument& a : graph.arguments()) arguments.push_back(s.fresh(graph.type(a.value)));
  const GraphAxes solved = s.solve(graph, arguments);
  std::set<std::string> taken;
  collect_symbols(graph, taken);
  General general;
  std::map<std::string, Dim, std::less<>> names;
  for (Axis a = 0; a < s.axes.count(); ++a) {
    if (s.axes.root(a) != a || s.axes.is_fixed(a)) continue;
    const std::string symbol = new_symbol("axis", s.axes.size(a), taken);
    names[AxisSolver::symbol_of(a)] = Dim::symbol(symbol);
    general.sizes[symbol] = s.axes.size(a);
  }
  general.graph = Writer(s.axes, std::move(names)).write(graph, solved);
  return general;
}

Graph DistinctAxes::restored(const Graph& graph) const {
  if (!distinct_) return graph;
  return with_sizes(graph, [this](const Dim& d) { return d.substitute(sizes_); });
}

Graph by_rows(const Graph& graph, const std::function<Graph(const Graph&)>& pass,
              const std::function<void()>& held_back) {
  const DistinctAxes distinct(graph);
  if (!distinct.apart()) {
    if (held_back) held_back();
    return graph;
  }
  return distinct.restored(pass(distinct.graph()));
}

}  // namespace weft::ir
