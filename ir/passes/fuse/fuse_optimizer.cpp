// ir/passes/fuse/fuse_optimizer.cpp -- norms and updates of all parameters become one op each.
#include "ir/passes/fuse/fuse_optimizer.h"

#include "ir/error.h"
#include "ir/rewrite/pattern.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace weft::ir {
namespace {

// --- sums of squares

class NormFinder {
 public:
  explicit NormFinder(const GraphUses& readers) : r_(readers) {}

  std::optional<Replacement> find(const Node& root) {
    if (r_.graph->type(root.results[0]).rank() != 0) return std::nullopt;
    Replacement r;
    r.outputs = {root.results[0]};
    if (!squares(root.results[0], r, true) || r.inputs.size() < 2) return std::nullopt;
    std::reverse(r.inputs.begin(), r.inputs.end());
    r.build = [inputs = r.inputs](Rewriter& rw) {
      return rw.builder.emit_all(ops::squared_norm, {rw(inputs)});
    };
    return r;
  }

 private:
  bool squares(Value v, Replacement& r, bool root) {
    const Node* n = r_.producer(v);
    if (n == nullptr || (!root && !r_.one(v)) || !is_float(r_.graph->type(v).dtype)) return false;
    r.nodes.push_back(r_.graph->info(v).node);
    if (n->op == &ops::add)
      return squares(n->operands[1], r, false) &&
             squares(n->operands[0], r, false);  // long on the left
    if (n->op != &ops::sum || r_.graph->type(v).rank() != 0) return false;
    const Node* m = r_.producer(n->operands[0], ops::mul);
    if (m == nullptr || m->operands[0] != m->operands[1]) return false;
    r.nodes.push_back(r_.graph->info(n->operands[0]).node);
    r.inputs.push_back(m->operands[0]);
    return true;
  }

  const GraphUses& r_;
};

Graph norms(const Graph& graph, PassContext& context) {
  const GraphUses readers(graph);
  std::vector<Replacement> found;
  std::vector<char> covered(graph.nodes().size());
  for (size_t n = graph.nodes().size(); n-- > 0;) {
    if (graph.nodes()[n].op != &ops::add || covered[n]) continue;
    auto r = NormFinder(readers).find(graph.nodes()[n]);
    if (!r) continue;
    for (const int k : r->nodes) covered[static_cast<size_t>(k)] = 1;
    context.done("fuse_optimizer", concat(where(graph.nodes()[n]), ": ", r->inputs.size(),
                                          " sums of squares became squared_norm"));
    found.push_back(std::move(*r));
  }
  return replace_all(graph, std::move(found));
}

// --- updates

// A scalar factor of a gradient, and the gradient without it.
struct Scaled {
  Value g, scale;
};

Scaled unscaled(const GraphUses& r, Value g) {
  if (const Node* m = r.producer(g, ops::mul))
    for (const size_t i : {1, 0})
      if (r.graph->type(m->operands[i]).rank() == 0 && r.graph->type(m->operands[1 - i]).rank() > 0)
        return {m->operands[1 - i], m->operands[i]};
  return {g, {}};
}

struct Update {
  Value p, g, s, t;  // operands: parameter, gradient, states
  Value p1, s1, t1;  // results
  std::vector<int> nodes;
};

// What updates that become one op have in common.
struct Settings {
  Value lr, step, scale;
  Reals constants;
  auto operator<=>(const Settings&) const = default;
};
using Updates = std::map<Settings, std::vector<Update>>;

bool complements(double a, double b) { return std::abs(1 - a - b) < 1e-9; }

Pattern squared(const Pattern& g, const char* factor) {
  return either({op(ops::mul, op(ops::mul, g, g), scalar(factor)),
                 op(ops::mul, op(ops::mul, g, scalar(factor)), g)});
}
// decay * old + rest
Pattern averaged(const char* old, const char* decay, const Pattern& rest) {
  return op(ops::add, op(ops::mul, any(old), scalar(decay)), rest);
}

class UpdateFinder {
 public:
  explicit UpdateFinder(const GraphUses& readers) : r_(readers) {
    for (const Node& n : readers.graph->nodes()) keep_second_state(n);
  }

  Updates adam, adadelta;

  void find(const Node& root) {
    static const Pattern adam_pattern = make_adam(), adadelta_pattern = make_adadelta();
    const TensorType& type = r_.graph->type(root.results[0]);
    if (!is_float(type.dtype)) return;
    if (const auto m = match(r_, adam_pattern, root.results[0]))
      keep_adam(*m, root);
    else if (const auto d = match(r_, adadelta_pattern, root.results[0]))
      keep_adadelta(*d, root);
  }

 private:
  static Pattern make_adam() {
    const Pattern g = any("g");
    const Pattern m = averaged("m", "b1", op(ops::mul, g, scalar("1-b1"))).named("m1");
    const Pattern v = averaged("v", "b2", squared(g, "1-b2")).named("v1");
    const Pattern t = op(ops::cast, any("step"));
    const Pattern mhat =
        op(ops::div, m, op(ops::sub, scalar(1.0), op(ops::pow, scalar("b1 again"), t)));
    const Pattern vhat =
        op(ops::div, v, op(ops::sub, scalar(1.0), op(ops::pow, scalar("b2 again"), t)));
    const Pattern den = op(ops::add, op(ops::sqrt, vhat), scalar("eps"));
    const Pattern change = either({op(ops::mul, op(ops::div, mhat, den), any("lr")),
                                   op(ops::div, op(ops::mul, mhat, any("lr")), den)});
    return op(ops::sub, any("p"), change);
  }

  static Pattern make_adadelta() {
    const Pattern g = any("g");
    const Pattern a = averaged("a", "rho", squared(g, "1-rho")).named("a1");
    const Pattern above = op(ops::sqrt, op(ops::add, any("d"), scalar("eps"))),
                  below = op(ops::sqrt, op(ops::add, a, scalar("eps again")));
    const Pattern u = either({op(ops::mul, op(ops::div, above, below), g).named("u"),
                              op(ops::div, op(ops::mul, above, g), below).named("u"),
                              op(ops::mul, op(ops::div, g, below), above).named("u")});
    return op(ops::sub, any("p"), either({op(ops::mul, u, any("lr")), u}));
  }

  // d1 = rho d + (1-rho) u u, by u.
  void keep_second_state(const Node& n) {
    static const Pattern pattern = averaged("d", "rho", squared(any("u"), "1-rho"));
    if (n.op != &ops::add) return;
    if (const auto m = match(r_, pattern, n.results[0])) second_.insert({m->old("u"), *m});
  }

  // One type for all, constants that are what they should be.
  bool same_types(const std::vector<Value>& values) const {
    return std::all_of(values.begin(), values.end(),
                       [&](Value v) { return r_.graph->type(v) == r_.graph->type(values[0]); });
  }
  bool is_real_scalar(Value v) const {
    return r_.graph->type(v).rank() == 0 && is_float(r_.graph->type(v).dtype);
  }

  void keep_adam(const Match& m, const Node& root) {
    const double b1 = m.number("b1"), b2 = m.number("b2");
    if (!complements(b1, m.number("1-b1")) || !complements(b2, m.number("1-b2")) ||
        b1 != m.number("b1 again") || b2 != m.number("b2 again"))
      return;
    Update u{m.old("p"),      m.old("g"),  m.old("m"),  m.old("v"),
             root.results[0], m.old("m1"), m.old("v1"), m.nodes()};
    const Value lr = m.old("lr"), step = m.old("step");
    if (!is_real_scalar(lr) || !is_integer(r_.graph->type(step).dtype) ||
        r_.graph->type(step).rank() != 0)
      return;
    double decay = 0, decoupled = 0;
    static const Pattern l2 = op(ops::add, any("g"), op(ops::mul, any("p"), scalar("decay")));
    static const Pattern apart =
        op(ops::sub, any("p"),
           either({op(ops::mul, any("p"), op(ops::mul, any("lr"), scalar("decay"))),
                   op(ops::mul, op(ops::mul, any("p"), any("lr")), scalar("decay")),
                   op(ops::mul, op(ops::mul, any("p"), scalar("decay")), any("lr"))}));
    if (const auto w = match(r_, l2, u.g); w && w->old("p") == u.p) {
      u.g = w->old("g"), decay = w->number("decay");
    } else if (const auto d = match(r_, apart, u.p); d && d->old("lr") == lr) {
      u.p = d->old("p"), decay = d->number("decay"), decoupled = 1;
    }
    const Scaled s = unscaled(r_, u.g);
    u.g = s.g;
    if (same_types({u.p, u.g, u.s, u.t, u.p1, u.s1, u.t1}))
      adam[{lr, step, s.scale, {b1, b2, m.number("eps"), decay, decoupled}}].push_back(
          std::move(u));
  }

  void keep_adadelta(const Match& m, const Node& root) {
    const auto second = second_.find(m.old("u"));
    if (second == second_.end()) return;
    const Match& d = second->second;
    const double rho = m.number("rho"), eps = m.number("eps");
    if (!complements(rho, m.number("1-rho")) || !complements(rho, d.number("1-rho")) ||
        rho != d.number("rho") || eps != m.number("eps again") || d.old("d") != m.old("d"))
      return;
    const Scaled s = unscaled(r_, m.old("g"));
    Update u{m.old("p"),      s.g,         m.old("a"),          m.old("d"),
             root.results[0], m.old("a1"), d.root().results[0], m.nodes()};
    u.nodes.insert(u.nodes.end(), d.nodes().begin(), d.nodes().end());
    const Value lr = m.has("lr") ? m.old("lr") : Value{};
    if (lr.valid() && !is_real_scalar(lr)) return;
    if (same_types({u.p, u.g, u.s, u.t, u.p1, u.s1, u.t1}))
      adadelta[{lr, {}, s.scale, {rho, eps}}].push_back(std::move(u));
  }

  const GraphUses& r_;
  std::map<Value, Match> second_;
};

// Does one of the inputs depend on one of the outputs?
bool depends_on_itself(const Graph& graph, const Replacement& r) {
  std::vector<char> after(static_cast<size_t>(graph.value_count()));
  for (const Value v : r.outputs) after[static_cast<size_t>(v.id)] = 1;
  for (const Node& n : graph.nodes())
    if (std::any_of(n.operands.begin(), n.operands.end(),
                    [&](Value v) { return after[static_cast<size_t>(v.id)] != 0; }))
      for (const Value v : n.results) after[static_cast<size_t>(v.id)] = 1;
  return std::any_of(r.inputs.begin(), r.inputs.end(),
                     [&](Value v) { return after[static_cast<size_t>(v.id)] != 0; });
}

Replacement one_op(const OpDef& op, const Settings& settings, const std::vector<Update>& updates,
                   DType dtype) {
  Replacement r;
  Values p, g, s, t;
  for (const Update& u : updates) {
    p.push_back(u.p), g.push_back(u.g), s.push_back(u.s), t.push_back(u.t);
    r.nodes.insert(r.nodes.end(), u.nodes.begin(), u.nodes.end());
    r.outputs.push_back(u.p1);
  }
  for (const Update& u : updates) r.outputs.push_back(u.s1);
  for (const Update& u : updates) r.outputs.push_back(u.t1);
  for (const Values* list : {&p, &g, &s, &t})
    r.inputs.insert(r.inputs.end(), list->begin(), list->end());
  for (const Value v : {settings.lr, settings.step, settings.scale})
    if (v.valid()) r.inputs.push_back(v);
  r.build = [=, &op](Rewriter& rw) {
    OperandGroups groups{rw(p), rw(g), rw(s), rw(t)};
    if (settings.step.valid()) groups.push_back({rw(settings.step)});
    groups.push_back({settings.lr.valid() ? rw(settings.lr) : rw.builder.scalar(1, dtype)});
    groups.push_back(settings.scale.valid() ? Values{rw(settings.scale)} : Values{});
    const Reals& c = settings.constants;
    const Attrs attrs = &op == &ops::adam_update ? Attrs{{"beta1", c[0]},
                                                         {"beta2", c[1]},
                                                         {"eps", c[2]},
                                                         {"decay", c[3]},
                                                         {"decoupled", c[4] != 0}}
                                                 : Attrs{{"rho", c[0]}, {"eps", c[1]}};
    return rw.builder.emit_all(op, groups, attrs);
  };
  return r;
}

Graph updates(const Graph& graph, PassContext& context) {
  const GraphUses readers(graph);
  UpdateFinder finder(readers);
  for (const Node& n : graph.nodes())
    if (n.op == &ops::sub) finder.find(n);
  std::vector<Replacement> found;
  const auto keep = [&](const OpDef& op, const Updates& all) {
    for (const auto& [settings, list] : all) {
      Replacement r = one_op(op, settings, list, graph.type(list[0].p).dtype);
      if (depends_on_itself(graph, r)) continue;
      context.done("fuse_optimizer",
                   concat(where(graph.nodes()[static_cast<size_t>(r.nodes[0])]),
                          ": the updates of ", list.size(), " parameters became ", op.name));
      found.push_back(std::move(r));
    }
  };
  keep(ops::adam_update, finder.adam);
  keep(ops::adadelta_update, finder.adadelta);
  return replace_all(graph, std::move(found));
}

bool has(const Graph& graph, const OpDef& op) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(),
                     [&](const Node& n) { return n.op == &op; });
}

}  // namespace

Graph fuse_optimizer(const Graph& graph, PassContext& context) {
  const Graph normed = norms(graph, context);
  return has(normed, ops::sub) && has(normed, ops::sqrt) ? updates(normed, context) : normed;
}

}  // namespace weft::ir
