// ir/passes/clean/dce.cpp -- what no output needs is gone, in loops too.
#include "ir/passes/clean/dce.h"

#include "ir/rewrite/pattern.h"

#include <algorithm>

namespace weft::ir {
namespace {

// Which arguments of a graph its given outputs depend on.
std::vector<char> reached_arguments(const Graph& graph, const std::vector<char>& wanted) {
  std::vector<char> node(graph.nodes().size()), argument(graph.arguments().size());
  const auto mark = [&](Value v) {
    const ValueInfo& info = graph.info(v);
    (info.node < 0 ? argument[static_cast<size_t>(info.index)]
                   : node[static_cast<size_t>(info.node)]) = 1;
  };
  for (size_t i = 0; i < wanted.size(); ++i)
    if (wanted[i]) mark(graph.outputs()[i].value);
  for (size_t n = graph.nodes().size(); n-- > 0;)
    if (node[n])
      for (const Value v : graph.nodes()[n].operands) mark(v);
  return argument;
}

// What becomes of each of a scan's region arguments and outputs.
struct ScanPlan {
  enum class Fate : uint8_t { keep, drop, constant, same_as, invariant };
  struct Argument {
    Fate fate = Fate::keep;
    size_t same_as = 0;
    double value = 0;
  };
  std::vector<Argument> arguments;
  std::vector<char> outputs;       // kept?
  std::vector<size_t> stands_for;  // output -> the output whose value it shares (itself, mostly)
  bool changes = false;
};

class ScanCleaner {
 public:
  ScanCleaner(const Graph& graph, const Node& node, const std::vector<std::vector<int>>& readers)
      : graph_(graph), node_(node), body_(node.regions[0]), parts_(OpView(graph, node)) {
    for (const Value v : node.results) used_.push_back(!readers[static_cast<size_t>(v.id)].empty());
    make_plan();
  }

  bool changes() const { return plan_.changes; }

  // Emits the smaller scan; returns what stands for the results (invalid where nobody reads).
  Values emit(Rewriter& r) {
    Values carries, scanned, invariants, lengths;
    Integers axes, out_axes;
    Graph body;
    body.name = body_.name;
    Values map(static_cast<size_t>(body_.value_count()));
    const auto take = [&](size_t i, Values& group) {
      const Value v = body_.arguments()[i].value;
      map[static_cast<size_t>(v.id)] = body.add_argument(body_.type(v), body_.info(v).name);
      if (i < node_.operands.size()) group.push_back(r(node_.operands[i]));
    };
    const size_t c = carries_(), s = c + static_cast<size_t>(parts_.scanned),
                 all = s + static_cast<size_t>(parts_.invariants);
    std::vector<bool> row_carry;  // of those that are left
    for (size_t i = 0; i < c; ++i) {
      if (fate(i) != Fate::keep) continue;
      row_carry.push_back(parts_.row_carry[i]);
      take(i, carries);
    }
    for (size_t i = c; i < s; ++i)
      if (fate(i) == Fate::keep) take(i, scanned), axes.push_back(parts_.axes[i - c]);
    for (size_t i = 0; i < all; ++i)
      if (i < c ? fate(i) == Fate::invariant : i >= s && fate(i) == Fate::keep) take(i, invariants);
    if (parts_.has_lengths) take(all, lengths);  // %live for the lengths
    Builder b(body, node_.from);
    for (size_t i = 0; i < all; ++i) {
      const Value v = body_.arguments()[i].value;
      if (fate(i) == Fate::constant)
        map[static_cast<size_t>(v.id)] = b.filled(plan_.arguments[i].value, body_.type(v));
      if (fate(i) == Fate::same_as)
        map[static_cast<size_t>(v.id)] =
            map[static_cast<size_t>(body_.arguments()[plan_.arguments[i].same_as].value.id)];
    }
    copy_nodes(body, map);
    for (size_t o = 0; o < plan_.outputs.size(); ++o) {
      if (!plan_.outputs[o]) continue;
      body.add_output(body_.outputs()[o].name,
                      map[static_cast<size_t>(body_.outputs()[o].value.id)]);
      if (o >= c) out_axes.push_back(parts_.out_axes[o - c]);
    }
    Values fresh;
    const OperandGroups groups{carries, scanned, invariants, lengths};
    if (!body.outputs().empty())
      fresh = r.builder.emit_all(ops::scan, groups,
                                 ops::scan_attrs(r.builder.graph(), groups, axes, out_axes,
                                                 parts_.reverse, parts_.steps, row_carry),
                                 {std::move(body)});
    return results(r, fresh);
  }

 private:
  using Fate = ScanPlan::Fate;
  size_t carries_() const { return static_cast<size_t>(parts_.carries); }
  Fate fate(size_t argument) const { return plan_.arguments[argument].fate; }

  void make_plan() {
    const size_t c = carries_(), s = c + static_cast<size_t>(parts_.scanned),
                 all = s + static_cast<size_t>(parts_.invariants);
    plan_.arguments.resize(body_.arguments().size());
    plan_.outputs.assign(used_.begin(), used_.end());
    std::vector<char> fixed(c);
    for (size_t i = 0; i < c; ++i) {
      fixed[i] = body_.outputs()[i].value == body_.arguments()[i].value;
      if (fixed[i]) plan_.outputs[i] = 0;
    }
    share_outputs(c);
    std::vector<char> reached;
    for (bool more = true; more;) {
      more = false;
      reached = reached_arguments(body_, plan_.outputs);
      for (size_t i = 0; i < c; ++i)
        if (reached[i] && !plan_.outputs[i] && !fixed[i]) plan_.outputs[i] = 1, more = true;
    }
    for (size_t i = 0; i < all; ++i) {
      ScanPlan::Argument& a = plan_.arguments[i];
      const bool carry = i < c;
      const auto constant = scalar_constant(graph_, node_.operands[i]);
      if (carry ? fixed[i] : true) {
        a.fate = !reached[i] ? Fate::drop
                 : constant  ? Fate::constant
                 : carry     ? Fate::invariant
                             : Fate::keep;
      } else if (!plan_.outputs[i]) {
        a.fate = Fate::drop;
      }
      if (constant) a.value = *constant;
      if (a.fate == Fate::keep && !carry)
        for (size_t j = i < s ? c : s; j < i; ++j)
          if (fate(j) == Fate::keep && node_.operands[j] == node_.operands[i] &&
              (i >= s || parts_.axes[i - c] == parts_.axes[j - c]))
            a.fate = Fate::same_as, a.same_as = j;
      plan_.changes |= a.fate != Fate::keep;
    }
    for (size_t o = 0; o < plan_.outputs.size(); ++o) plan_.changes |= !plan_.outputs[o];
  }

  // The same value stacked twice along one axis is stacked once.
  void share_outputs(size_t carries) {
    for (size_t o = 0; o < plan_.outputs.size(); ++o) {
      plan_.stands_for.push_back(o);
      for (size_t p = carries; o > p; ++p)
        if (plan_.outputs[o] && plan_.outputs[p] &&
            body_.outputs()[p].value == body_.outputs()[o].value &&
            parts_.out_axes[p - carries] == parts_.out_axes[o - carries]) {
          plan_.stands_for[o] = p;
          plan_.outputs[o] = 0;
        }
    }
  }

  void copy_nodes(Graph& body, Values& map) const {
    std::vector<char> needed(body_.nodes().size());
    const auto need = [&](Value v) {
      if (const int n = body_.info(v).node; n >= 0) needed[static_cast<size_t>(n)] = 1;
    };
    for (size_t o = 0; o < plan_.outputs.size(); ++o)
      if (plan_.outputs[o]) need(body_.outputs()[o].value);
    for (size_t n = body_.nodes().size(); n-- > 0;)
      if (needed[n])
        for (const Value v : body_.nodes()[n].operands) need(v);
    for (size_t n = 0; n < body_.nodes().size(); ++n) {
      if (!needed[n]) continue;
      const Node& node = body_.nodes()[n];
      Values operands;
      for (const Value v : node.operands) operands.push_back(map[static_cast<size_t>(v.id)]);
      const Values results = body.add_copy(body_, node, operands);
      for (size_t i = 0; i < results.size(); ++i)
        map[static_cast<size_t>(node.results[i].id)] = results[i];
    }
  }

  Values results(Rewriter& r, const Values& fresh) const {
    Values out(plan_.outputs.size());
    size_t at = 0;
    for (size_t o = 0; o < plan_.outputs.size(); ++o)
      if (plan_.outputs[o]) out[o] = fresh[at++];
    for (size_t o = 0; o < plan_.outputs.size(); ++o) {
      if (plan_.stands_for[o] != o) out[o] = out[plan_.stands_for[o]];
      if (!plan_.outputs[o] && o < carries_() && used_[o])
        out[o] = r(node_.operands[o]);  // never changes
    }
    return out;
  }

  const Graph& graph_;
  const Node& node_;
  const Graph& body_;
  ops::ScanParts parts_;
  std::vector<char> used_;
  ScanPlan plan_;
};

// How many operands and results its loops have.
std::vector<std::pair<size_t, size_t>> loops_of(const Graph& graph) {
  std::vector<std::pair<size_t, size_t>> loops;
  for (const Node& node : graph.nodes())
    if (node.op == &ops::scan) loops.emplace_back(node.operands.size(), node.results.size());
  return loops;
}

Graph cleaned(const Graph& graph) {
  Graph current = drop_dead(graph);
  for (bool changed = true; changed;) {
    changed = false;
    const bool loops = std::any_of(current.nodes().begin(), current.nodes().end(),
                                   [](const Node& n) { return n.op == &ops::scan; });
    if (!loops) return current;
    const auto readers = uses(current);
    Rewriter r(current);
    for (const Node& node : current.nodes()) {
      if (node.op == &ops::scan) {
        if (ScanCleaner cleaner(current, node, readers); cleaner.changes()) {
          r.at(node);
          const Values results = cleaner.emit(r);
          for (size_t i = 0; i < results.size(); ++i)
            if (results[i].valid()) r.replace(node.results[i], results[i]);
          changed = true;
          continue;
        }
      }
      r.copy(node);
    }
    if (changed) current = r.finish();
  }
  return current;
}

// Regions first, then the graph, until neither has anything left to drop: what goes from a graph
// may have been the last reader of a region's output, however deep.
Graph swept(const Graph& graph) {
  Graph current = graph;
  for (bool changed = true; changed;) {
    changed = false;
    current = with_regions(current, [&](const Graph& g) {
      Graph after = cleaned(g);
      changed |= after.node_count() != g.node_count() || loops_of(after) != loops_of(g);
      return after;
    });
  }
  return current;
}

}  // namespace

Graph dce(const Graph& graph, PassContext&) { return swept(graph); }

}  // namespace weft::ir
