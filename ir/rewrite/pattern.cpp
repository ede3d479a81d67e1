// ir/rewrite/pattern.cpp -- matching with backtracking, and rewriting what matched.
#include "ir/rewrite/pattern.h"

#include "ir/check.h"

#include <algorithm>

namespace weft::ir {

std::optional<double> scalar_constant(const Graph& graph, Value v) {
  const Node* node = graph.producer(v);
  if (node == nullptr || node->op != &ops::constant) return std::nullopt;
  const Reals& values = OpView(graph, *node).reals("values");
  if (values.size() != 1) return std::nullopt;
  return values.front();
}

std::optional<double> GraphUses::scalar(Value v) const { return scalar_constant(*graph, v); }

std::string GraphUses::named(Value v) const {
  const Node* p = producer(v);
  return graph->display_name(v) +
         (p != nullptr && p->from.loc.known() ? ", made at " + p->from.loc.str() : "");
}

bool GraphUses::depends(Value v, const std::vector<int>& nodes) const {
  const int first = *std::min_element(nodes.begin(), nodes.end());
  std::vector<char> seen(graph->nodes().size());
  std::vector<int> stack{graph->info(v).node};
  while (!stack.empty()) {
    const int n = stack.back();
    stack.pop_back();
    if (n < first || seen[static_cast<size_t>(n)]) continue;
    seen[static_cast<size_t>(n)] = 1;
    if (std::find(nodes.begin(), nodes.end(), n) != nodes.end()) return true;
    for (const Value x : graph->nodes()[static_cast<size_t>(n)].operands)
      stack.push_back(graph->info(x).node);
  }
  return false;
}

namespace {

template <typename Change>
Pattern changed(const Pattern& pattern, const Change& change) {
  auto parts = std::make_shared<Pattern::Parts>(pattern.parts());
  change(*parts);
  return Pattern(std::move(parts));
}

}  // namespace

Pattern Pattern::with(std::string_view attr, Attr value) const {
  return changed(*this, [&](Parts& p) { p.attrs.emplace_back(attr, std::move(value)); });
}
Pattern Pattern::one_use() const {
  return changed(*this, [](Parts& p) { p.one_use = true; });
}
Pattern Pattern::named(std::string_view name) const {
  return changed(*this, [&](Parts& p) { p.name = name; });
}
Pattern Pattern::where(std::function<bool(const OpView&)> holds) const {
  return changed(*this, [&](Parts& p) { p.conditions.push_back(std::move(holds)); });
}
Pattern Pattern::result(int index) const {
  return changed(*this, [&](Parts& p) { p.result = index; });
}

Pattern any(std::string_view name) {
  auto parts = std::make_shared<Pattern::Parts>();
  parts->name = name;
  return Pattern(std::move(parts));
}
Pattern scalar(std::string_view name) {
  return changed(any(name), [](Pattern::Parts& p) { p.is_scalar = true; });
}
Pattern scalar(double value) {
  return changed(any(), [&](Pattern::Parts& p) { p.is_scalar = true, p.value = value; });
}
Pattern either(std::vector<Pattern> alternatives) {
  return changed(any(), [&](Pattern::Parts& p) { p.alternatives = std::move(alternatives); });
}
Pattern op_of(const OpDef& op, std::vector<Pattern> operands) {
  return changed(any(), [&](Pattern::Parts& p) { p.op = &op, p.operands = std::move(operands); });
}

Value Match::find(std::string_view name) const {
  for (const auto& [n, v] : bindings_)
    if (n == name) return v;
  return {};
}

Value Match::old(std::string_view name) const {
  const Value v = find(name);
  WEFT_CHECK(v.valid());
  return v;
}

Provenance Match::provenance() const { return united_provenance(*readers_->graph, nodes_); }

// Matches by continuation: `next` is what remains to be matched, and failing it backtracks.
class Matcher {
 public:
  using Next = std::function<bool()>;
  Matcher(const GraphUses& readers, Match& match) : readers_(readers), match_(match) {}

  bool value(const Pattern& pattern, Value v, const Next& next) {
    const Pattern::Parts& p = pattern.parts();
    if (p.one_use && !readers_.one(v)) return false;
    if (!p.alternatives.empty()) {
      for (const Pattern& alternative : p.alternatives)
        if (value(alternative, v, [&] { return bind(p, v, next); })) return true;
      return false;
    }
    if (p.is_scalar) {
      const auto number = readers_.scalar(v);
      if (!number || (p.value && *p.value != *number)) return false;
    }
    if (p.op == nullptr) return bind(p, v, next);
    const Node* node = readers_.producer(v, *p.op);
    if (node == nullptr || readers_.graph->info(v).index != p.result || !holds(p, *node))
      return false;
    match_.nodes_.push_back(readers_.graph->info(v).node);
    const bool done = bind(p, v, [&] {
      return operands(p, *node, 0, false, next) ||
             (p.op->commutative && operands(p, *node, 0, true, next));
    });
    if (!done) match_.nodes_.pop_back();
    return done;
  }

 private:
  bool holds(const Pattern::Parts& p, const Node& node) const {
    if (!p.operands.empty() && p.operands.size() != node.operands.size()) return false;
    for (const auto& [name, wanted] : p.attrs) {
      const Attr* given = node.attrs.find(name);
      if (given != nullptr
              ? *given != wanted
              : node.op->attr(name)->required() || node.op->attr(name)->value() != wanted)
        return false;
    }
    for (const auto& condition : p.conditions)
      if (!condition(readers_.view(node))) return false;
    return true;
  }

  bool bind(const Pattern::Parts& p, Value v, const Next& next) {
    if (p.name.empty()) return next();
    for (const auto& [name, bound] : match_.bindings_)
      if (name == p.name) return bound == v && next();
    match_.bindings_.emplace_back(p.name, v);
    if (next()) return true;
    match_.bindings_.pop_back();
    return false;
  }

  bool operands(const Pattern::Parts& p, const Node& node, size_t i, bool swapped,
                const Next& next) {
    if (i == p.operands.size()) return next();
    const size_t at = swapped && i < 2 ? 1 - i : i;
    return value(p.operands[i], node.operands[at],
                 [&] { return operands(p, node, i + 1, swapped, next); });
  }

  const GraphUses& readers_;
  Match& match_;
};

std::optional<Match> match(const GraphUses& readers, const Pattern& pattern, Value root,
                           Rewriter* rewriter) {
  Match m(readers, rewriter);
  if (!Matcher(readers, m).value(pattern, root, [] { return true; })) return std::nullopt;
  return m;
}

Graph rewrite(const Graph& graph, const Pattern& pattern,
              const std::function<Value(Match&)>& replace) {
  const Pattern::Parts& p = pattern.parts();
  const bool any_root = std::any_of(graph.nodes().begin(), graph.nodes().end(),
                                    [&](const Node& n) { return p.op == nullptr || n.op == p.op; });
  if (!any_root) return graph;
  const GraphUses readers(graph);
  Rewriter rewriter(graph);
  bool changed = false;
  for (const Node& node : graph.nodes()) {
    std::optional<Match> m;
    if ((p.op == nullptr || node.op == p.op) && node.results.size() == 1)
      m = match(readers, pattern, node.results[0], &rewriter);
    if (m) {
      rewriter.builder.from = m->provenance();
      if (const Value v = replace(*m); v.valid()) {
        rewriter.replace(node.results[0], v);
        changed = true;
        continue;
      }
    }
    rewriter.copy(node);
  }
  return changed ? rewriter.finish() : graph;
}

Provenance united_provenance(const Graph& graph, const std::vector<int>& nodes) {
  Provenance from = graph.nodes()[static_cast<size_t>(nodes.front())].from;
  for (const int n : nodes)
    from.origins = united(from.origins, graph.nodes()[static_cast<size_t>(n)].from.origins);
  return from;
}

namespace {

class Replacer {
 public:
  Replacer(const Graph& graph, const std::vector<Replacement>& list)
      : graph_(graph),
        list_(list),
        owner_(graph.nodes().size(), -1),
        done_(graph.nodes().size()),
        built_(list.size()),
        rewriter_(graph) {
    for (size_t i = 0; i < list.size(); ++i)
      for (const Value v : list[i].outputs)
        owner_[static_cast<size_t>(graph.info(v).node)] = static_cast<int>(i);
  }

  Graph run() {
    const std::vector<bool> wanted = wanted_nodes();
    for (size_t n = 0; n < graph_.nodes().size(); ++n)
      if (wanted[n]) node(static_cast<int>(n));
    return rewriter_.finish();
  }

 private:
  // What results need once replacements stand in: the rest may read what is gone.
  std::vector<bool> wanted_nodes() const {
    std::vector<bool> wanted(graph_.nodes().size());
    Values open;
    for (const Output& o : graph_.outputs()) open.push_back(o.value);
    while (!open.empty()) {
      const int n = graph_.info(open.back()).node;
      open.pop_back();
      if (n < 0 || wanted[static_cast<size_t>(n)]) continue;
      wanted[static_cast<size_t>(n)] = true;
      const int owner = owner_[static_cast<size_t>(n)];
      const Values& read = owner < 0 ? graph_.nodes()[static_cast<size_t>(n)].operands
                                     : list_[static_cast<size_t>(owner)].inputs;
      open.insert(open.end(), read.begin(), read.end());
    }
    return wanted;
  }

  void need(Value v) {
    if (const int n = graph_.info(v).node; n >= 0) node(n);
  }

  void node(int n) {
    const auto at = static_cast<size_t>(n);
    if (done_[at]) return;
    if (const int owner = owner_[at]; owner >= 0) {
      build(static_cast<size_t>(owner));
      done_[at] = 1;
      return;
    }
    for (const Value v : graph_.nodes()[at].operands) need(v);
    done_[at] = 1;
    rewriter_.copy(graph_.nodes()[at]);
  }

  void build(size_t i) {
    if (built_[i] == 2) return;
    WEFT_CHECK(built_[i] == 0);  // 1: it would need its own results
    built_[i] = 1;
    const Replacement& r = list_[i];
    for (const Value v : r.inputs) need(v);
    rewriter_.builder.from = united_provenance(graph_, r.nodes);
    const Values with = r.build(rewriter_);
    for (size_t k = 0; k < r.outputs.size(); ++k) rewriter_.replace(r.outputs[k], with[k]);
    built_[i] = 2;
  }

  const Graph& graph_;
  const std::vector<Replacement>& list_;
  std::vector<int> owner_;
  std::vector<char> done_, built_;
  Rewriter rewriter_;
};

}  // namespace

namespace {

// The first replacement that would need its own results, by way of others; -1: none. (Each alone is
// sound, but two with several results may need one another's.)
class CycleFinder {
 public:
  CycleFinder(const Graph& graph, const std::vector<Replacement>& list)
      : graph_(graph),
        list_(list),
        owner_(graph.nodes().size(), -1),
        state_(graph.nodes().size()),
        open_(list.size()) {
    for (size_t i = 0; i < list.size(); ++i)
      for (const Value v : list[i].outputs)
        owner_[static_cast<size_t>(graph.info(v).node)] = static_cast<int>(i);
  }
  int find() {
    for (size_t n = 0; n < graph_.nodes().size() && found_ < 0; ++n) visit(static_cast<int>(n));
    return found_;
  }

 private:
  void visit(int n) {
    if (n < 0 || found_ >= 0 || state_[static_cast<size_t>(n)]) return;
    const int owner = owner_[static_cast<size_t>(n)];
    if (owner >= 0 && open_[static_cast<size_t>(owner)]) {
      found_ = owner;
      return;
    }
    if (owner >= 0) open_[static_cast<size_t>(owner)] = 1;
    for (const Value v : owner >= 0 ? list_[static_cast<size_t>(owner)].inputs
                                    : graph_.nodes()[static_cast<size_t>(n)].operands)
      visit(graph_.info(v).node);
    if (owner >= 0) {
      open_[static_cast<size_t>(owner)] = 0;
      for (const Value v : list_[static_cast<size_t>(owner)].outputs)
        state_[static_cast<size_t>(graph_.info(v).node)] = 1;
    }
    state_[static_cast<size_t>(n)] = 1;
  }

  const Graph& graph_;
  const std::vector<Replacement>& list_;
  std::vector<int> owner_;
  std::vector<char> state_, open_;
  int found_ = -1;
};

}  // namespace

Graph replace_all(const Graph& graph, std::vector<Replacement> replacements) {
  std::vector<char> taken(graph.nodes().size());
  std::vector<Replacement> kept;
  for (Replacement& r : replacements) {
    const bool free = std::none_of(r.outputs.begin(), r.outputs.end(), [&](Value v) {
      return taken[static_cast<size_t>(graph.info(v).node)] != 0;
    });
    if (!free) continue;
    for (const Value v : r.outputs) taken[static_cast<size_t>(graph.info(v).node)] = 1;
    kept.push_back(std::move(r));
  }
  for (int cycle = 0; !kept.empty() && (cycle = CycleFinder(graph, kept).find()) >= 0;)
    kept.erase(kept.begin() + cycle);
  return kept.empty() ? graph : Replacer(graph, kept).run();
}

}  // namespace weft::ir
