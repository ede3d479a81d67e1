// autodiff/sweep.cpp -- the reverse sweep.
//
// Forward nodes are copied, or rebuilt by their rule's augment; then they are visited from the last
// to the first, each handing the adjoints of its results on to its operands. An adjoint that nobody
// contributed to is zero and is not made. Contributions are added in the order in which the sweep
// meets them, from the last use to the first.
//
// What a `select` does not choose has no part in the gradient, even where its derivative is infinite
// or NaN: an adjoint that comes out of a select is known as select(cond, d, 0), elementwise rules
// work on d, and the select is put around their results instead (autodiff/guard.h).
#include "autodiff/sweep.h"

#include "autodiff/guard.h"
#include "autodiff/rules/table.h"
#include "ir/check.h"

namespace weft::autodiff {
namespace {

using ir::Builder;
using ir::Graph;
using ir::Node;
using ir::OpView;
using ir::Value;
using ir::Values;

bool is_float(const Graph& graph, Value v) { return ir::is_float(graph.type(v).dtype); }

Query query(const Graph& graph, const Node& node, const Activity& active,
            const ResidualPolicy& policy = {}) {
  std::vector<bool> wanted, expected;
  for (const Value v : node.operands) wanted.push_back(active(v));
  for (const Value v : node.results) expected.push_back(active(v));
  return {graph, node, std::move(wanted), std::move(expected), policy};
}

bool any_active(const Values& values, const Activity& active) {
  for (const Value v : values)
    if (active(v)) return true;
  return false;
}
bool on_path(const Node& node, const Activity& active) {
  return any_active(node.operands, active) && any_active(node.results, active);
}

bool needs_expansion(const Graph& graph, const Node& node, const Activity& active) {
  if (!on_path(node, active)) return false;
  const VjpRule& rule = rule_of(*node.op);
  if (rule.kind == Derivative::through_expansion) return true;
  return rule.expands != nullptr && rule.expands(query(graph, node, active));
}

// Values of one graph, to what stands for them in another.
class Map {
 public:
  explicit Map(const Graph& from) : to_(static_cast<size_t>(from.value_count())) {}
  Value operator()(Value v) const { return to_[static_cast<size_t>(v.id)]; }
  Values operator()(const Values& vs) const {
    Values out;
    for (const Value v : vs) out.push_back((*this)(v));
    return out;
  }
  void set(const Values& from, const Values& to) {
    for (size_t i = 0; i < from.size(); ++i) to_[static_cast<size_t>(from[i].id)] = to[i];
  }

 private:
  Values to_;
};

void copy_arguments(const Graph& from, Graph& to, Map& map) {
  to.name = from.name;
  for (const ir::Argument& a : from.arguments()) {
    const Value v = to.add_argument(from.type(a.value), from.info(a.value).name, a.kind, a.path,
                                    a.initializer, a.trainable);
    to.set_donated(static_cast<int>(to.arguments().size()) - 1, a.donated);
    map.set({a.value}, {v});
  }
}

// The graph with those nodes on the path replaced by their expansions whose derivative is theirs.
Graph expanded(Graph graph, const Question& question) {
  for (;;) {
    const Activity active = activity(graph, question.wanted, question.seeded);
    Map map(graph);
    Graph to;
    copy_arguments(graph, to, map);
    Builder builder(to);
    bool changed = false;
    for (const Node& node : graph.nodes()) {
      if (needs_expansion(graph, node, active)) {
        builder.from = node.from;
        map.set(node.results, ir::inline_graph(builder, node.op->expand(OpView(graph, node)),
                                               map(node.operands)));
        changed = true;
      } else {
        map.set(node.results, to.add_copy(graph, node, map(node.operands)));
      }
    }
    if (!changed) return graph;
    for (const ir::Output& o : graph.outputs()) to.add_output(o.name, map(o.value));
    graph = std::move(to);
  }
}

class Sweep {
 public:
  Sweep(const Graph& source, const Question& question)
      : source_(source),
        question_(question),
        active_(activity(source, question.wanted, question.seeded)),
        map_(source),
        builder_(joint_.graph),
        guards_(builder_),
        contributions_(static_cast<size_t>(source.value_count())),
        kept_(source.nodes().size()) {}

  Joint run() {
    copy_arguments(source_, joint_.graph, map_);
    for (size_t n = 0; n < source_.nodes().size(); ++n) forward(n);
    for (const ir::Output& o : source_.outputs()) joint_.outputs.push_back(map_(o.value));
    joint_.forward_nodes = static_cast<int>(joint_.graph.nodes().size());
    seed();
    for (size_t n = source_.nodes().size(); n-- > 0;) backward(n);
    for (size_t i = 0; i < source_.arguments().size(); ++i)
      joint_.adjoints.push_back(question_.wanted[i] ? adjoint(source_.arguments()[i].value)
                                                    : Value());
    return std::move(joint_);
  }

 private:
  void forward(size_t n) {
    const Node& node = source_.nodes()[n];
    Values results;
    const VjpRule& rule = rule_of(*node.op);
    if (on_path(node, active_) && rule.augment != nullptr) {
      builder_.from = node.from;
      Vjp vjp(query(source_, node, active_, question_.policy), builder_, map_(node.operands));
      kept_[n] = rule.augment(vjp);
      results = kept_[n].results;
      for (size_t i = 0; i < node.results.size(); ++i)
        joint_.graph.set_name(results[i], source_.info(node.results[i]).name);
    } else {
      results = joint_.graph.add_copy(source_, node, map_(node.operands));
      kept_[n].results = results;
    }
    map_.set(node.results, results);
  }

  void seed() {
    for (size_t i = 0; i < source_.outputs().size(); ++i) {
      const Value v = source_.outputs()[i].value;
      if (!question_.seeded[i]) continue;
      if (const Node* producer = source_.producer(v)) at(*producer);
      const Value d = question_.seed(builder_, static_cast<int>(i));
      if (active_(v)) contribute(v, d);
    }
  }

  void backward(size_t n) {
    const Node& node = source_.nodes()[n];
    if (!on_path(node, active_)) return;
    at(node);
    Values cotangents;
    bool any = false;
    for (const Value v : node.results) {
      cotangents.push_back(adjoint(v));
      any = any || cotangents.back().valid();
    }
    if (!any) return;
    const VjpRule& rule = rule_of(*node.op);
    Query asked = query(source_, node, active_, question_.policy);
    if (rule.kind == Derivative::none)
      asked.op().fail("gradient.5",
                      "has no derivative, but the result depends on a wanted argument through it");
    Vjp vjp(asked, builder_, map_(node.operands));
    vjp.set_forward(kept_[n].results, kept_[n].kept);
    const Guarded guarded = guards_.reaches_through(vjp.op(), cotangents);
    vjp.set_cotangents(guarded.any() ? Values{guarded.value} : cotangents);
    const Grads grads = rule.adjoint(vjp);
    WEFT_CHECK(grads.size() == node.operands.size());
    for (size_t i = 0; i < grads.size(); ++i) {
      const Value operand = node.operands[i];
      if (!grads[i].valid() || !active_(operand)) continue;
      const Value d = guards_.hand_on(vjp, rule, i, grads[i], guarded, cotangents);
      // Adjoints of what products read as bf16 are made as f32.
      const ir::TensorType& type = source_.type(operand);
      contribute(operand, builder_.cast(node.op->elementwise ? builder_.sum_to(d, type.shape) : d,
                                        type.dtype));
    }
  }

  void at(const Node& node) {
    builder_.from = node.from;
    builder_.from.part = ir::Part::backward;
  }
  void contribute(Value v, Value d) {
    WEFT_CHECK(joint_.graph.type(d) == source_.type(v));
    contributions_[static_cast<size_t>(v.id)].push_back(d);
  }
  Value adjoint(Value v) { return guards_.sum(contributions_[static_cast<size_t>(v.id)]); }

  const Graph& source_;
  const Question& question_;
  Activity active_;
  Joint joint_;
  Map map_;
  Builder builder_;
  Guards guards_;
  std::vector<Values> contributions_;  // by value of the source
  std::vector<Augmented> kept_;        // by node of the source
};

}  // namespace

Activity activity(const Graph& graph, const std::vector<bool>& wanted,
                  const std::vector<bool>& seeded) {
  Activity a{std::vector<bool>(static_cast<size_t>(graph.value_count())),
             std::vector<bool>(static_cast<size_t>(graph.value_count()))};
  const auto spread = [&](std::vector<bool>& marks, const Values& from, const Values& to) {
    bool any = false;
    for (const Value v : from) any = any || marks[static_cast<size_t>(v.id)];
    for (const Value v : to)
      if (any && is_float(graph, v)) marks[static_cast<size_t>(v.id)] = true;
  };
  const auto passes = [](const Node& node) { return rule_of(*node.op).kind != Derivative::zero; };
  for (size_t i = 0; i < wanted.size(); ++i) {
    const Value v = graph.arguments()[i].value;
    if (wanted[i] && is_float(graph, v)) a.varied[static_cast<size_t>(v.id)] = true;
  }
  for (const Node& node : graph.nodes())
    if (passes(node)) spread(a.varied, node.operands, node.results);
  for (size_t i = 0; i < seeded.size(); ++i) {
    const Value v = graph.outputs()[i].value;
    if (seeded[i] && is_float(graph, v)) a.useful[static_cast<size_t>(v.id)] = true;
  }
  for (size_t n = graph.nodes().size(); n-- > 0;)
    if (passes(graph.nodes()[n]))
      spread(a.useful, graph.nodes()[n].results, graph.nodes()[n].operands);
  return a;
}

Joint differentiate(const Graph& graph, const Question& question) {
  const Graph ready = expanded(graph, question);
  return Sweep(ready, question).run();
}

}  // namespace weft::autodiff
