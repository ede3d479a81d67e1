// ir/passes/fuse/fuse_cross_entropy.cpp -- log-softmax, look-up, smoothing and weights become one op.
#include "ir/passes/fuse/fuse_cross_entropy.h"

#include "ir/error.h"
#include "ir/passes/clean/simplifier.h"
#include "ir/rewrite/pattern.h"

#include <algorithm>
#include <cmath>

namespace weft::ir {
namespace {

// label * logp[label] + mean * mean(logp): what a value is, as far as it is made of these alone.
struct Combination {
  Value logp, labels;  // none as yet
  Value negated;       // -logp, where sums read that
  double label = 0, mean = 0;
  bool by_one_hot = false;  // a label out of range chooses nothing
  std::vector<int> nodes;
};

class LossFinder {
 public:
  LossFinder(const GraphUses& readers, PassContext& context) : r_(readers), context_(context) {}

  std::optional<Replacement> find(const Node& root) {
    Combination c;
    if (root.results.size() != 1 || !collect(root.results[0], 1, c, true) || c.label == 0 ||
        !c.labels.valid())
      return std::nullopt;
    const double total = c.label + c.mean;
    const double smoothing = c.mean / total;
    if (!(smoothing >= 0 && smoothing <= 1)) return std::nullopt;
    const Node& softmax = *r_.producer(c.logp);
    const int logp_node = r_.graph->info(c.logp).node;
    Values read{c.logp};
    if (c.negated.valid()) read.push_back(c.negated);
    for (const Value v : read)
      for (const int reader : r_.of(v))
        if (reader < 0 || std::find(c.nodes.begin(), c.nodes.end(), reader) == c.nodes.end()) {
          context_.near_miss(
              "fuse_cross_entropy",
              concat(
                  where(root), ": log-probabilities ", r_.graph->display_name(v),
                  " are read elsewhere, by ",
                  reader < 0
                      ? "a result of the graph"
                      : concat("'", r_.graph->nodes()[static_cast<size_t>(reader)].op->name, "'")));
          return std::nullopt;
        }
    Replacement r;
    r.outputs = {root.results[0]};
    r.inputs = {softmax.operands[0], c.labels};
    r.nodes = c.nodes;
    r.nodes.push_back(logp_node);
    r.build = [logits = softmax.operands[0], labels = c.labels, total, smoothing,
               skip = c.by_one_hot, shape = r_.graph->type(root.results[0]).shape](Rewriter& rw) {
      Builder& b = rw.builder;
      Shape rows = b.type(rw(logits)).shape;
      rows.pop_back();
      const Value loss =
          b.emit(ops::softmax_cross_entropy, {{rw(logits)}, {b.reshape(rw(labels), rows)}},
                 {{"smoothing", smoothing}, {"skip_unknown", skip}});
      const Value scaled = total == -1  ? loss
                           : total == 1 ? b.neg(loss)
                                        : b.mul(loss, b.scalar(-total, b.type(loss).dtype));
      return Values{b.reshape(scaled, shape)};
    };
    context_.done("fuse_cross_entropy",
                  concat(where(root), ": ", r_.graph->display_name(c.logp), " and ", c.nodes.size(),
                         " more became softmax_cross_entropy"));
    return r;
  }

 private:
  // v is logp, or -logp, which turns the factor around.
  bool same_logp(Value v, double& factor, Combination& c) const {
    if (const Node* minus = r_.producer(v, ops::neg)) {
      if (c.negated.valid() && c.negated != v) return false;
      if (!c.negated.valid()) c.nodes.push_back(r_.graph->info(v).node);
      c.negated = v;
      factor = -factor;
      v = minus->operands[0];
    }
    const Node* n = r_.producer(v, ops::log_softmax);
    if (n == nullptr || r_.view(*n).integer("axis") != -1 || (c.logp.valid() && c.logp != v))
      return false;
    c.logp = v;
    return true;
  }

  bool collect(Value v, double factor, Combination& c, bool root = false) {
    const Node* n = r_.producer(v);
    if (n == nullptr || (!root && !r_.one(v)) || c.nodes.size() > 16) return false;
    c.nodes.push_back(r_.graph->info(v).node);
    const auto operand = [&](size_t i) { return n->operands[i]; };
    if (n->op == &ops::add || n->op == &ops::sub) {
      if (r_.graph->type(operand(0)).shape != r_.graph->type(operand(1)).shape) return false;
      return collect(operand(0), factor, c) &&
             collect(operand(1), n->op == &ops::add ? factor : -factor, c);
    }
    if (n->op == &ops::neg) return collect(operand(0), -factor, c);
    if (n->op == &ops::mul) {
      const auto by = r_.scalar(operand(1));
      return by && collect(operand(0), factor * *by, c);
    }
    if (n->op == &ops::gather) return gathered(*n, factor, c);
    if (n->op == &ops::sum && chosen_by_one_hot(*n, factor, c)) return true;
    return (n->op == &ops::mean || n->op == &ops::sum) && averaged(*n, factor, c);
  }

  bool gathered(const Node& n, double factor, Combination& c) const {
    const Value x = n.operands[0], labels = n.operands[1];
    const int rank = r_.graph->type(x).rank();
    if (c.labels.valid() || r_.view(n).axis() != rank - 1 ||
        r_.view(n).integer("batch") != rank - 1 || !same_logp(x, factor, c))
      return false;
    Shape rows = r_.graph->type(x).shape, given = r_.graph->type(labels).shape;
    rows.pop_back();
    if (given != rows && (given.empty() || !given.back().is(1) ||
                          !std::equal(rows.begin(), rows.end(), given.begin(), given.end() - 1)))
      return false;
    c.labels = labels;
    c.label += factor;
    return true;
  }

  bool chosen_by_one_hot(const Node& sum, double factor, Combination& c) const {
    if (c.labels.valid() || r_.view(sum).integers("axes") != Integers{-1} ||
        r_.view(sum).flag("keep"))
      return false;
    const Node* m = r_.producer(sum.operands[0], ops::mul);
    if (m == nullptr || !r_.one(sum.operands[0])) return false;
    for (const size_t i : {0, 1}) {
      const Node* hot = r_.producer(m->operands[i], ops::one_hot);
      double signed_factor = factor;
      if (hot == nullptr || r_.graph->type(m->operands[i]) != r_.graph->type(m->results[0]) ||
          !same_logp(m->operands[1 - i], signed_factor, c))
        continue;
      c.nodes.push_back(r_.graph->info(sum.operands[0]).node);
      c.labels = hot->operands[0];
      c.by_one_hot = true;
      c.label += signed_factor;
      return true;
    }
    return false;
  }

  bool averaged(const Node& n, double factor, Combination& c) const {
    const auto size = r_.graph->type(n.operands[0]).dim(-1).constant();
    const OpView op = r_.view(n);
    if (op.integers("axes") != Integers{-1} || op.flag("keep") || (n.op == &ops::sum && !size) ||
        !same_logp(n.operands[0], factor, c))
      return false;
    c.mean += n.op == &ops::sum ? factor * static_cast<double>(*size) : factor;
    return true;
  }

  const GraphUses& r_;
  PassContext& context_;
};

// Sums are tried before their terms, or a smoothed loss would be taken for a plain one.
Graph losses(const Graph& graph, PassContext& context) {
  const bool any = std::any_of(graph.nodes().begin(), graph.nodes().end(),
                               [](const Node& n) { return n.op == &ops::log_softmax; });
  if (!any) return graph;
  const GraphUses readers(graph);
  PassContext silent;
  std::vector<Replacement> found;
  std::vector<char> covered(graph.nodes().size());
  for (const bool sums : {true, false})
    for (size_t n = graph.nodes().size(); n-- > 0;) {
      const Node& node = graph.nodes()[n];
      const bool is_sum = node.op == &ops::add || node.op == &ops::sub || node.op == &ops::neg,
                 is_look_up = node.op == &ops::gather || node.op == &ops::sum;
      if (covered[n] || !(sums ? is_sum : is_look_up)) continue;
      auto r = LossFinder(readers, sums ? silent : context).find(node);
      if (!r) continue;
      for (const int k : r->nodes) covered[static_cast<size_t>(k)] = 1;
      found.push_back(std::move(*r));
    }
  for (Note& note : silent.notes)
    if (note.kind == Note::Kind::done) context.notes.push_back(std::move(note));
  return replace_all(graph, std::move(found));
}

// Rows that a mask leaves out are taken in as weights: select(mask, loss, 0), or of -loss. A product
// with weights is not: 0 times the loss of a row that is infinite or NaN is NaN, but a row of weight
// 0 is not read.
Graph weighted(const Graph& graph) {
  const Pattern loss =
      op(ops::softmax_cross_entropy, any("logits"), any("labels")).named("loss").one_use();
  const Pattern negated = op(ops::neg, loss).named("negated").one_use();
  return rewrite(graph, op(ops::select, any("mask"), either({loss, negated}), scalar(0.0)),
                 [](Match& m) -> Value {
                   if (m.type("mask").shape != m.type("labels").shape) return {};
                   if (!m.readers().of(m.node("loss").results[1]).empty()) return {};
                   const Value weights = m.builder().cast(m["mask"], m.type("loss").dtype);
                   const Value y =
                       m.emit(ops::softmax_cross_entropy, {{m["logits"]}, {m["labels"]}, {weights}},
                              m.node("loss").attrs);
                   return m.has("negated") ? m.builder().neg(y) : y;
                 });
}

Graph fused(const Graph& graph, PassContext& context) {
  const Graph found = losses(graph, context);
  const bool any = std::any_of(found.nodes().begin(), found.nodes().end(),
                               [](const Node& n) { return n.op == &ops::softmax_cross_entropy; });
  return any ? weighted(found) : found;
}

}  // namespace

Graph fuse_cross_entropy(const Graph& graph, PassContext& context) {
  return with_regions(graph, [&](const Graph& g) { return fused(g, context); });
}

}  // namespace weft::ir
