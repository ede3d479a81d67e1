// ir/passes/fuse/attention/fuse_attention.cpp -- score, mask, softmax and weighted sum become one op.
#include "ir/passes/fuse/attention/fuse_attention.h"

#include "ir/error.h"
#include "ir/ops/attention_parts.h"
#include "ir/passes/fuse/attention/attention_dropout.h"
#include "ir/passes/fuse/attention/attention_scores.h"

#include <algorithm>
#include <optional>

namespace weft::ir {
namespace {

class AttentionFinder {
 public:
  AttentionFinder(const GraphUses& readers, PassContext& context)
      : r_(readers), context_(context) {}

  // Looks around one softmax.
  std::optional<Replacement> find(const Node& softmax, int index) {
    if (r_.view(softmax).integer("axis") != -1) return std::nullopt;
    weights_ = softmax.results[0];
    softmax_ = index;
    Scores s;
    s.nodes.push_back(index);
    reason_.clear();
    if (!find_scores(r_, softmax.operands[0], s))
      return s.masked || weighs_something() ? miss(softmax, concat("its scores: ", s.reason))
                                            : std::nullopt;
    if (s.shape != r_.graph->type(weights_).shape)
      return miss(softmax, "its mask or bias widens the scores");
    const AttentionDropout dropout(r_, weights_, s.single);
    if (!dropout.reason().empty()) return miss(softmax, dropout.reason());
    summed_ = dropout.found() ? dropout.result() : weights_;
    for (const int reader : r_.of(summed_)) {
      if (reader < 0) continue;
      Sum sum;
      if (!weighted_sum(r_.graph->nodes()[static_cast<size_t>(reader)], reader, s, sum)) continue;
      sum.nodes.insert(sum.nodes.end(), dropout.nodes().begin(), dropout.nodes().end());
      if (!no_other_reader(s, sum)) break;
      return replacement(s, sum, dropout);
    }
    return miss(softmax, reason_.empty() ? "nothing sums values weighted by it" : reason_);
  }

 private:
  struct Sum {
    Value v, result;
    Shape v_shape;
    bool swapped = false;  // the last two axes of v
    std::vector<int> nodes;
    Shape result_shape;
  };

  Shape shape(Value v) const { return r_.shape(v); }

  std::optional<Replacement> miss(const Node& softmax, const std::string& why) {
    context_.near_miss("fuse_attention",
                       concat(where(softmax), ": softmax ", r_.graph->display_name(weights_),
                              " is not fused: ", why));
    return std::nullopt;
  }
  bool weighs_something() const {
    return std::any_of(r_.of(weights_).begin(), r_.of(weights_).end(), [&](int reader) {
      if (reader < 0) return false;
      const Node& n = r_.graph->nodes()[static_cast<size_t>(reader)];
      return n.op == &ops::matmul && n.operands[0] == weights_ &&
             r_.graph->type(n.operands[1]).rank() >= 3;
    });
  }

  // --- from the weights on to the sum

  bool weighted_sum(const Node& first, int index, const Scores& s, Sum& sum) {
    const Shape w = shape(summed_);
    if (first.op == &ops::matmul && first.operands[0] == summed_ && !s.single) {
      const OpView op = r_.view(first);
      if (op.flag("transpose_a")) return false;
      Shape v = shape(first.operands[1]);
      if (op.flag("transpose_b")) std::swap(v[v.size() - 1], v[v.size() - 2]);
      sum.swapped = op.flag("transpose_b");
      return keep_sum(first, index, first.operands[1], v, s, sum);
    }
    if (first.op != &ops::reshape) return false;
    const Shape to = shape(first.results[0]);
    for (const int reader : r_.of(first.results[0])) {
      if (reader < 0) continue;
      const Node& next = r_.graph->nodes()[static_cast<size_t>(reader)];
      sum = {};
      if (next.op == &ops::matmul && s.single) {
        const OpView op = r_.view(next);
        if (at(to, 2).is(1) && erased(to, 2) == w && next.operands[0] == first.results[0] &&
            !op.flag("transpose_a") && !op.flag("transpose_b"))
          return keep_sum(next, reader, next.operands[1], shape(next.operands[1]), s, sum);
        if (to.back().is(1) && erased(to, 1) == w && next.operands[1] == first.results[0] &&
            op.flag("transpose_a") && !op.flag("transpose_b"))
          return keep_sum(next, reader, next.operands[0], shape(next.operands[0]), s, sum);
      }
      if (next.op == &ops::mul && to.back().is(1) && erased(to, 1) == w &&
          sum_of(next, reader, first.results[0], s, sum))
        return true;
    }
    return false;
  }

  // sum(mul(a, v), -2)
  bool sum_of(const Node& mul, int index, Value a, const Scores& s, Sum& sum) {
    const Value v = mul.operands[mul.operands[0] == a ? 1 : 0];
    for (const int reader : r_.of(mul.results[0])) {
      if (reader < 0) continue;
      const Node& n = r_.graph->nodes()[static_cast<size_t>(reader)];
      if (n.op != &ops::sum || r_.view(n).integers("axes") != Integers{-2} ||
          r_.view(n).flag("keep"))
        continue;
      Shape vs = shape(v);
      if (!s.single) {
        if (!at(vs, 3).is(1)) return false;
        vs = erased(vs, 3);
      }
      sum.nodes.push_back(index);
      return keep_sum(n, reader, v, vs, s, sum);
    }
    return false;
  }

  bool keep_sum(const Node& n, int index, Value v, Shape v_shape, const Scores& s, Sum& sum) {
    const Shape ks = widest(s.k);
    if (v_shape.size() != ks.size() || !std::equal(ks.begin(), ks.end() - 1, v_shape.begin())) {
      reason_ =
          concat("values ", r_.named(v), " of ", str(shape(v)), " do not go with keys ", str(ks));
      return false;
    }
    sum.nodes.insert(sum.nodes.begin(), index);
    sum.v = v, sum.v_shape = std::move(v_shape), sum.result = n.results[0],
    sum.result_shape = shape(n.results[0]);
    return true;
  }

  // --- may it be done, and doing it

  bool no_other_reader(const Scores& s, const Sum& sum) {
    std::vector<int> all = s.nodes;
    all.insert(all.end(), sum.nodes.begin(), sum.nodes.end());
    for (const int n : all) {
      if (n == sum.nodes.front() || n == softmax_) continue;
      const Value v = r_.graph->nodes()[static_cast<size_t>(n)].results[0];
      for (const int reader : r_.of(v)) {
        if (reader >= 0 && std::find(all.begin(), all.end(), reader) != all.end()) continue;
        const std::string who =
            reader < 0 ? "a result of the graph"
                       : concat("'", r_.graph->nodes()[static_cast<size_t>(reader)].op->name, "' ",
                                r_.graph->display_name(
                                    r_.graph->nodes()[static_cast<size_t>(reader)].results[0]));
        reason_ = concat(r_.named(v), " is read elsewhere, by ", who);
        return false;
      }
    }
    if (needs_weights(sum) && r_.depends(sum.v, {softmax_})) {
      reason_ = "its values depend on the weights";
      return false;
    }
    return true;
  }
  bool is_weights_reshape(int n) const {
    const Node& node = r_.graph->nodes()[static_cast<size_t>(n)];
    return node.op == &ops::reshape && node.operands[0] == weights_;
  }
  // Does anything but this sum (and the reshape before it) read the weights?
  bool needs_weights(const Sum& sum) const {
    for (const int reader : r_.of(weights_)) {
      if (reader < 0) return true;
      if (std::find(sum.nodes.begin(), sum.nodes.end(), reader) != sum.nodes.end()) continue;
      if (!is_weights_reshape(reader)) return true;
      for (const int further : r_.of(r_.graph->nodes()[static_cast<size_t>(reader)].results[0]))
        if (further < 0 ||
            std::find(sum.nodes.begin(), sum.nodes.end(), further) == sum.nodes.end())
          return true;
    }
    return false;
  }

  Replacement replacement(const Scores& s, const Sum& sum, const AttentionDropout& dropout) {
    Replacement r;
    const bool weights = needs_weights(sum);
    r.outputs = {sum.result};
    if (weights) r.outputs.push_back(weights_);
    for (const auto* list : {&s.q, &s.k})
      for (const Shaped& x : *list) r.inputs.push_back(x.value);
    for (const Value v : {sum.v, s.v_a, s.scale_by, s.divide_by})
      if (v.valid()) r.inputs.push_back(v);
    for (const Mask& m : s.masks) r.inputs.push_back(m.value);
    for (const ScoreBias& bias : s.biases)
      r.inputs.push_back(s.by_distance ? bias.distances : bias.value);
    for (const Value v : dropout.inputs()) r.inputs.push_back(v);
    r.nodes = sum.nodes;
    r.nodes.insert(r.nodes.end(), s.nodes.begin(), s.nodes.end());
    const Shape weights_shape = shape(weights_);
    r.build = [s, sum, weights, weights_shape, dropout](Rewriter& rw) {
      return build(rw, s, sum, weights, weights_shape, dropout);
    };
    const Node& softmax = r_.graph->nodes()[static_cast<size_t>(softmax_)];
    for (const std::string& why : s.no_bands)
      context_.near_miss("fuse_attention", concat(where(softmax), ": mask ", why));
    context_.done(
        "fuse_attention",
        concat(where(softmax), ": softmax ", r_.graph->display_name(weights_), " and ",
               r.nodes.size() - 1, " more became attention (", s.v_a.valid() ? "additive" : "dot",
               s.masks.empty() ? "" : ", masked", band_text(s.band),
               s.biases.empty() ? ""
               : s.by_distance  ? ", biased by distance"
                                : ", biased",
               dropout.found() ? ", with dropout" : "", weights ? ", with weights" : "", ")"));
    return r;
  }

  static std::string band_text(const Integers& band) {
    if (band.empty()) return "";
    return band == Integers{-1, 0} ? ", causal" : concat(", band ", ir::str(Attr(band)));
  }

  static Value swapped(Builder& b, Value x) {
    Integers perm;
    for (int i = 0; i < b.type(x).rank(); ++i) perm.push_back(i);
    std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
    return b.transpose(x, perm);
  }
  static Value total(Rewriter& rw, const std::vector<Shaped>& terms) {
    Value sum;
    for (const Shaped& t : terms) {
      const Value x = t.swapped ? swapped(rw.builder, rw(t.value)) : rw(t.value);
      const Value v = rw.builder.reshape(x, t.shape);
      sum = sum.valid() ? rw.builder.add(sum, v) : v;
    }
    return sum;
  }
  // x without its query axis, if it has one: it is 1.
  static Value without_queries(Builder& b, Value x) {
    const Shape shape = b.type(x).shape;
    return shape.size() < 2 ? x : b.reshape(x, erased(shape, 2));
  }

  static Value allowed(Rewriter& rw, const Scores& s) {
    Builder& b = rw.builder;
    Value mask;
    for (const Mask& m : s.masks) {
      const Value x = b.reshape(rw(m.value), m.shape);
      const Value seen = m.negated ? b.emit(ops::logical_not, {{x}}) : x;
      mask = mask.valid() ? b.emit(ops::logical_and, {{mask}, {seen}}) : seen;
    }
    return mask;
  }
  static Value added(Rewriter& rw, const Scores& s) {
    Builder& b = rw.builder;
    Value sum;
    for (const ScoreBias& bias : s.biases) {
      Value x = rw(s.by_distance ? bias.distances : bias.value);
      if (bias.factor != 1) x = b.mul(x, b.scalar(bias.factor, b.type(x).dtype));
      sum = sum.valid() ? b.add(sum, x) : x;
    }
    return sum;
  }

  static Values build(Rewriter& rw, const Scores& s, const Sum& sum, bool weights,
                      const Shape& weights_shape, const AttentionDropout& dropout) {
    Builder& b = rw.builder;
    Value q = total(rw, s.q), k = total(rw, s.k);
    Value v = b.reshape(sum.swapped ? swapped(b, rw(sum.v)) : rw(sum.v), sum.v_shape);
    Value v_a = s.v_a.valid() ? rw(s.v_a) : Value{}, bias = added(rw, s), mask = allowed(rw, s);
    if (v_a.valid()) v_a = b.reshape(v_a, {b.type(q).dim(-1)});
    if (s.scale_by.valid()) (v_a.valid() ? v_a : q) = b.mul(v_a.valid() ? v_a : q, rw(s.scale_by));
    if (s.divide_by.valid())
      (v_a.valid() ? v_a : q) = b.div(v_a.valid() ? v_a : q, rw(s.divide_by));
    // One query after all? (A band stays one of queries with an axis.)
    const bool one = !s.single && at(s.shape, 2).is(1) && s.band.empty() && !s.by_distance;
    if (one) {
      q = without_queries(b, q);
      if (mask.valid()) mask = without_queries(b, mask);
      if (bias.valid()) bias = without_queries(b, bias);
    }
    ops::AttentionParts parts;
    parts["q"] = q, parts["k"] = k, parts["v"] = v;
    parts["v_a"] = v_a, parts["mask"] = mask, parts["bias"] = bias;
    parts.attrs = {{"scale", s.scale}, {"weights", weights}};
    if (!s.band.empty()) parts.attrs.set("band", s.band);
    if (s.by_distance) parts.attrs.set("by_distance", true);
    if (dropout.found()) dropout.put(rw, one, parts);
    if (v_a.valid()) parts.attrs.set("score", std::string("additive"));
    Values results = parts.emit(b, ops::attention);
    results[0] = b.reshape(results[0], sum.result_shape);
    if (weights) results[1] = b.reshape(results[1], weights_shape);
    return results;
  }

  const GraphUses& r_;
  PassContext& context_;
  Value weights_, summed_;  // summed_: after dropout
  int softmax_ = -1;
  std::string reason_;
};

Graph fused(const Graph& graph, PassContext& context) {
  const bool any = std::any_of(graph.nodes().begin(), graph.nodes().end(),
                               [](const Node& n) { return n.op == &ops::softmax; });
  if (!any) return graph;
  const GraphUses readers(graph);
  AttentionFinder finder(readers, context);
  std::vector<Replacement> found;
  for (size_t n = 0; n < graph.nodes().size(); ++n)
    if (graph.nodes()[n].op == &ops::softmax)
      if (auto r = finder.find(graph.nodes()[n], static_cast<int>(n)))
        found.push_back(std::move(*r));
  return replace_all(graph, std::move(found));
}

}  // namespace

Graph fuse_attention(const Graph& graph, PassContext& context) {
  return with_regions(graph, [&](const Graph& g) { return fused(g, context); });
}

}  // namespace weft::ir
