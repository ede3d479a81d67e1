// ir/passes/fuse_attention.cpp -- score, mask, softmax and weighted sum become one op.
#include "ir/passes/fuse_attention.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "ir/error.h"
#include "ir/pattern.h"

namespace weft::ir {
namespace {

// A value and the shape it is read in (its own, but for axes of size 1).
struct Shaped {
  Value value;
  Shape shape;
};

struct Mask {
  Value value;
  bool negated = false;
};

struct Scores {
  std::vector<Shaped> q, k;  // to be added up, in q's and k's own shape (no broadcast axes)
  Value v_a;                 // additive only
  double scale = 1;
  Value scale_by, divide_by; // scalars known at run time only
  Value bias;
  std::vector<Mask> masks;   // all must allow
  bool single = false;       // one query: scores [...,S]
  Shape shape;               // of the scores
  std::vector<int> nodes;    // matched
};

// `dim` counted from the end, 1 where there is no such axis.
Dim at(const Shape& shape, size_t from_end) { return from_end <= shape.size() ? shape[shape.size() - from_end] : Dim(1); }

Shape erased(Shape shape, size_t from_end) {
  if (from_end <= shape.size()) shape.erase(shape.end() - static_cast<int64_t>(from_end));
  return shape;
}

class AttentionFinder {
 public:
  AttentionFinder(const Readers& readers, PassContext& context) : r_(readers), context_(context) {}

  // Looks around one softmax.
  std::optional<Replacement> find(const Node& softmax, int index) {
    if (r_.view(softmax).integer("axis") != -1) return std::nullopt;
    weights_ = softmax.results[0];
    softmax_ = index;
    Scores s;
    s.nodes.push_back(index);
    reason_.clear();
    if (!masked(softmax.operands[0], s))
      return !s.masks.empty() ? miss(softmax, concat("its masked scores, from ", named(softmax.operands[0]), ", are neither a dot nor an additive score")) : std::nullopt;
    if (s.shape != r_.graph->type(weights_).shape) return miss(softmax, "its mask or bias widens the scores");
    for (const int reader : r_.of(weights_)) {
      if (reader < 0) continue;
      Sum sum;
      if (!weighted_sum(r_.graph->nodes()[static_cast<size_t>(reader)], reader, s, sum)) continue;
      if (!no_other_reader(s, sum)) break;
      return replacement(s, sum);
    }
    return miss(softmax, reason_.empty() ? "nothing sums values weighted by it" : reason_);
  }

 private:
  struct Sum {
    Value v, result;
    Shape v_shape;
    std::vector<int> nodes;
    Shape result_shape;
  };

  int index_of(const Node& node) const { return r_.graph->info(node.results[0]).node; }
  Shape shape(Value v) const { return r_.graph->type(v).shape; }

  std::optional<Replacement> miss(const Node& softmax, const std::string& why) {
    context_.near_miss("fuse_attention", concat(where(softmax), ": softmax ", r_.graph->display_name(weights_), " is not fused: ", why));
    return std::nullopt;
  }
  // "%x, made at decoder.cpp:30"
  std::string named(Value v) const {
    const Node* p = r_.producer(v);
    return r_.graph->display_name(v) + (p != nullptr && p->from.loc.known() ? ", made at " + p->from.loc.str() : "");
  }

  // --- from the softmax back to the scores

  bool masked(Value e, Scores& s) {
    if (const Node* n = r_.producer(e, ops::select)) {
      const auto yes = r_.scalar(n->operands[1]), no = r_.scalar(n->operands[2]);
      const bool negated = yes && *yes == -HUGE_VAL;
      if (negated || (no && *no == -HUGE_VAL)) {
        s.masks.push_back({n->operands[0], negated});
        s.nodes.push_back(index_of(*n));
        return masked(n->operands[negated ? 2 : 1], s);
      }
    }
    return biased(e, s);
  }

  bool biased(Value e, Scores& s) {
    if (scaled(e, s)) return true;
    const Node* n = r_.producer(e, ops::add);
    if (n == nullptr) return false;
    for (const int i : {0, 1}) {
      Scores tried = s;
      tried.nodes.push_back(index_of(*n));
      if (r_.graph->type(n->operands[static_cast<size_t>(i)]).shape != shape(e)) continue;
      if (!scaled(n->operands[static_cast<size_t>(i)], tried)) continue;
      tried.bias = n->operands[static_cast<size_t>(1 - i)];
      s = std::move(tried);
      return true;
    }
    return false;
  }

  bool scaled(Value e, Scores& s) {
    if (score(e, s)) return true;
    const Node* n = r_.producer(e, ops::mul);
    const bool divided = n == nullptr && (n = r_.producer(e, ops::div)) != nullptr;
    if (n == nullptr) return false;
    for (const size_t i : {0, 1}) {
      const Value factor = n->operands[1 - i];
      const auto c = r_.scalar(factor);
      if ((divided && i == 1) || r_.graph->type(factor).rank() != 0) continue;
      Scores tried = s;
      tried.nodes.push_back(index_of(*n));
      if (!score(n->operands[i], tried)) continue;
      if (c && !divided)
        tried.scale = *c;
      else
        (divided ? tried.divide_by : tried.scale_by) = factor;
      s = std::move(tried);
      return true;
    }
    return false;
  }

  // e itself, read in `as` (its own shape, or one that a reshape of 1-axes gives it).
  bool score(Value e, Scores& s) {
    if (const Node* n = r_.producer(e, ops::reshape)) {
      const Shape from = shape(n->operands[0]), to = shape(e);
      if (from.size() != to.size() + 1) return false;
      Scores tried = s;
      tried.nodes.push_back(index_of(*n));
      const bool found = (from.back().is(1) && erased(from, 1) == to && column(n->operands[0], tried)) ||
                         (at(from, 2).is(1) && erased(from, 2) == to && row(n->operands[0], tried));
      if (found) s = std::move(tried);
      return found;
    }
    return product(e, s) || reduced(e, s);
  }

  // q [...,T,D] times k [...,S,D] transposed.
  bool product(Value e, Scores& s) {
    const Node* n = r_.producer(e, ops::matmul);
    if (n == nullptr) return false;
    const OpView op = r_.view(*n);
    if (op.flag("transpose_a") || !op.flag("transpose_b")) return false;
    return keep_dot(*n, {{n->operands[0], shape(n->operands[0])}}, {{n->operands[1], shape(n->operands[1])}}, false, shape(e), s);
  }

  // q [...,1,D] times k transposed, its axis of one query taken away.
  bool row(Value e, Scores& s) {
    const Node* n = r_.producer(e, ops::matmul);
    if (n == nullptr) return false;
    const OpView op = r_.view(*n);
    if (op.flag("transpose_a") || !op.flag("transpose_b")) return false;
    const Shape q = shape(n->operands[0]);
    return keep_dot(*n, {{n->operands[0], erased(q, 2)}}, {{n->operands[1], shape(n->operands[1])}}, true, erased(shape(e), 2), s);
  }

  // k [...,S,D] times a column: q [...,D,1], or v_a [D,1] after tanh(q + k).
  bool column(Value e, Scores& s) {
    const Node* n = r_.producer(e, ops::matmul);
    if (n == nullptr) return false;
    const OpView op = r_.view(*n);
    if (op.flag("transpose_a")) return false;
    const bool tb = op.flag("transpose_b");
    const Value left = n->operands[0], right = n->operands[1];
    if (shape(right).size() == 2) {
      if (const Node* t = r_.producer(left, ops::tanh)) {
        s.nodes.push_back(index_of(*n));
        s.nodes.push_back(index_of(*t));
        s.v_a = right;
        return queries_and_keys(t->operands[0], true, erased(shape(left), 1), s);
      }
    }
    if (shape(left).size() != shape(right).size()) return false;
    return keep_dot(*n, {{right, erased(shape(right), tb ? 2 : 1)}}, {{left, shape(left)}}, true, erased(shape(e), 1), s);
  }

  bool keep_dot(const Node& n, std::vector<Shaped> q, std::vector<Shaped> k, bool single, Shape scores, Scores& s) {
    if (!is_float(r_.graph->type(n.results[0]).dtype)) return false;
    const Shape &ks = k[0].shape, &qs = q[0].shape;
    if (qs.size() + (single ? 1 : 0) != ks.size()) return false;
    if (!std::equal(ks.begin(), ks.end() - 2, qs.begin())) return false;
    s.nodes.push_back(index_of(n));
    s.q = std::move(q), s.k = std::move(k), s.single = single, s.shape = std::move(scores);
    return true;
  }

  // A sum over the width: of tanh(q + k) * v_a, or of q * k.
  bool reduced(Value e, Scores& s) {
    const Node* n = r_.producer(e, ops::sum);
    if (n == nullptr || r_.view(*n).integers("axes") != Integers{-1} || r_.view(*n).flag("keep")) return false;
    const Node* m = r_.producer(n->operands[0], ops::mul);
    if (m == nullptr) return false;
    Scores tried = s;
    tried.nodes.push_back(index_of(*n));
    tried.nodes.push_back(index_of(*m));
    for (const size_t i : {0, 1}) {
      const Node* t = r_.producer(m->operands[i], ops::tanh);
      const Value v_a = m->operands[1 - i];
      if (t == nullptr || shape(v_a).size() != 1 || shape(t->results[0]) != shape(m->results[0])) continue;
      tried.nodes.push_back(index_of(*t));
      tried.v_a = v_a;
      if (!queries_and_keys(t->operands[0], true, shape(e), tried)) return false;
      s = std::move(tried);
      return true;
    }
    if (!queries_and_keys(m->results[0], false, shape(e), tried)) return false;
    s = std::move(tried);
    return true;
  }

  // Tells apart what belongs to queries and to keys in a sum (or product) [...,(T,)S,D], by the axes
  // that are 1: k has no query axis, q no key axis.
  bool queries_and_keys(Value u, bool summed, const Shape& scores, Scores& s) {
    std::vector<Value> terms;
    flatten(u, summed ? ops::add : ops::mul, summed, terms, s);
    if (terms.size() < 2 || (!summed && terms.size() != 2)) return false;
    const Shape full = shape(u);
    const Dim keys = at(full, 2);
    std::vector<Shaped> q, k;
    std::vector<Value> neither;
    for (const Value t : terms) {
      const Shape own = shape(t);
      if (own.empty()) return false;
      if (own.size() >= 2 && !at(own, 2).is(1) && at(own, 2) == keys)
        k.push_back({t, own});
      else if (own.size() >= 2 && at(own, 2).is(1) && own.size() > 2)
        q.push_back({t, own});
      else
        neither.push_back(t);
    }
    if (k.empty()) return false;
    // Without leading axes (or with none but 1) the query is a plain vector [D].
    if (q.empty()) {
      Shape one(full.begin(), full.end() - 2);
      if (!all_ones(one) || neither.empty()) return false;
      one.push_back(at(full, 1));
      q.push_back({neither[0], one});
      neither.erase(neither.begin());
      s.single = true;
    } else {
      const Dim queries = at(full, 3);
      bool keys_have_axis = false, queries_have_axis = false;
      for (const Shaped& x : k) keys_have_axis |= !at(x.shape, 3).is(1);
      for (const Shaped& x : q) queries_have_axis |= !at(x.shape, 3).is(1);
      s.single = keys_have_axis || !queries_have_axis;
      if (s.single && queries_have_axis && std::any_of(k.begin(), k.end(), [&](const Shaped& x) { return at(x.shape, 3) != queries && shape(x.value).size() > 2; })) return false;
      for (Shaped& x : q) x.shape = erased(x.shape, 2);
      if (!s.single)
        for (Shaped& x : k) x.shape = erased(x.shape, 3);
    }
    for (const Value t : neither) q.push_back({t, shape(t)});  // a bias of the sum goes with the query
    s.q = std::move(q), s.k = std::move(k), s.shape = scores;
    Shape qs = widest(s.q), ks = widest(s.k), lead(scores.begin(), scores.end() - (s.single ? 1 : 2));
    const Dim width = at(full, 1);
    Shape want_q = lead, want_k = lead;
    if (!s.single) want_q.push_back(at(scores, 2));
    want_q.push_back(width), want_k.push_back(keys), want_k.push_back(width);
    return qs == want_q && ks == want_k;
  }

  static bool all_ones(const Shape& shape) {
    return std::all_of(shape.begin(), shape.end(), [](const Dim& d) { return d.is(1); });
  }

  static Shape widest(const std::vector<Shaped>& terms) {
    Shape w;
    for (const Shaped& t : terms) {
      if (t.shape.size() > w.size()) w.insert(w.begin(), t.shape.size() - w.size(), Dim(1));
      for (size_t i = 1; i <= t.shape.size(); ++i)
        if (w[w.size() - i].is(1)) w[w.size() - i] = at(t.shape, i);
    }
    return w;
  }

  void flatten(Value v, const OpDef& op, bool deep, std::vector<Value>& terms, Scores& s, int depth = 0) {
    const Node* n = r_.producer(v, op);
    // Only sums that mix queries and keys are taken apart: a bias added to either stays with it.
    if (n == nullptr || (depth > 0 && (!deep || !r_.one(v) || at(shape(v), 2).is(1) || shape(n->operands[0]) == shape(n->operands[1]) || plain_key(*n)))) {
      terms.push_back(v);
      return;
    }
    s.nodes.push_back(index_of(*n));
    for (const Value x : n->operands) flatten(x, op, deep, terms, s, depth + 1);
  }
  // k + b: a sum that broadcasts no query into it.
  bool plain_key(const Node& n) const {
    return std::any_of(n.operands.begin(), n.operands.end(), [&](Value v) { return shape(v).size() <= 1; });
  }

  // --- from the weights on to the sum

  bool weighted_sum(const Node& first, int index, const Scores& s, Sum& sum) {
    const Shape w = shape(weights_);
    if (first.op == &ops::matmul && first.operands[0] == weights_ && !s.single) {
      const OpView op = r_.view(first);
      if (op.flag("transpose_a") || op.flag("transpose_b")) return false;
      return keep_sum(first, index, first.operands[1], shape(first.operands[1]), s, sum);
    }
    if (first.op != &ops::reshape) return false;
    const Shape to = shape(first.results[0]);
    for (const int reader : r_.of(first.results[0])) {
      if (reader < 0) continue;
      const Node& next = r_.graph->nodes()[static_cast<size_t>(reader)];
      sum = {};
      if (next.op == &ops::matmul && s.single) {
        const OpView op = r_.view(next);
        if (at(to, 2).is(1) && erased(to, 2) == w && next.operands[0] == first.results[0] && !op.flag("transpose_a") && !op.flag("transpose_b"))
          return keep_sum(next, reader, next.operands[1], shape(next.operands[1]), s, sum);
        if (to.back().is(1) && erased(to, 1) == w && next.operands[1] == first.results[0] && op.flag("transpose_a") && !op.flag("transpose_b"))
          return keep_sum(next, reader, next.operands[0], shape(next.operands[0]), s, sum);
      }
      if (next.op == &ops::mul && to.back().is(1) && erased(to, 1) == w && sum_of(next, reader, first.results[0], s, sum)) return true;
    }
    return false;
  }

  // sum(mul(a, v), -2)
  bool sum_of(const Node& mul, int index, Value a, const Scores& s, Sum& sum) {
    const Value v = mul.operands[mul.operands[0] == a ? 1 : 0];
    for (const int reader : r_.of(mul.results[0])) {
      if (reader < 0) continue;
      const Node& n = r_.graph->nodes()[static_cast<size_t>(reader)];
      if (n.op != &ops::sum || r_.view(n).integers("axes") != Integers{-2} || r_.view(n).flag("keep")) continue;
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
      reason_ = concat("values ", named(v), " of ", str(shape(v)), " do not go with keys ", str(ks));
      return false;
    }
    sum.nodes.insert(sum.nodes.begin(), index);
    sum.v = v, sum.v_shape = std::move(v_shape), sum.result = n.results[0], sum.result_shape = shape(n.results[0]);
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
        const std::string who = reader < 0 ? "a result of the graph" : concat("'", r_.graph->nodes()[static_cast<size_t>(reader)].op->name, "' ", r_.graph->display_name(r_.graph->nodes()[static_cast<size_t>(reader)].results[0]));
        reason_ = concat(named(v), " is read elsewhere, by ", who);
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
      if (reader == sum.nodes.front()) continue;
      if (!is_weights_reshape(reader)) return true;
      for (const int further : r_.of(r_.graph->nodes()[static_cast<size_t>(reader)].results[0]))
        if (further < 0 || std::find(sum.nodes.begin(), sum.nodes.end(), further) == sum.nodes.end()) return true;
    }
    return false;
  }

  Replacement replacement(const Scores& s, const Sum& sum) {
    Replacement r;
    const bool weights = needs_weights(sum);
    r.outputs = {sum.result};
    if (weights) r.outputs.push_back(weights_);
    for (const auto* list : {&s.q, &s.k})
      for (const Shaped& x : *list) r.inputs.push_back(x.value);
    for (const Value v : {sum.v, s.v_a, s.bias, s.scale_by, s.divide_by})
      if (v.valid()) r.inputs.push_back(v);
    for (const Mask& m : s.masks) r.inputs.push_back(m.value);
    r.nodes = sum.nodes;
    r.nodes.insert(r.nodes.end(), s.nodes.begin(), s.nodes.end());
    const Shape weights_shape = shape(weights_);
    r.build = [s, sum, weights, weights_shape](Rewriter& rw) { return build(rw, s, sum, weights, weights_shape); };
    const Node& softmax = r_.graph->nodes()[static_cast<size_t>(softmax_)];
    context_.done("fuse_attention", concat(where(softmax), ": softmax ", r_.graph->display_name(weights_), " and ", r.nodes.size() - 1, " more became attention (",
                                           s.v_a.valid() ? "additive" : "dot", s.masks.empty() ? "" : ", masked", weights ? ", with weights" : "", ")"));
    return r;
  }

  static Value total(Rewriter& rw, const std::vector<Shaped>& terms) {
    Value sum;
    for (const Shaped& t : terms) {
      const Value v = rw.builder.reshape(rw(t.value), t.shape);
      sum = sum.valid() ? rw.builder.add(sum, v) : v;
    }
    return sum;
  }
  // x without its query axis, if it has one: it is 1.
  static Value without_queries(Builder& b, Value x) {
    const Shape shape = b.type(x).shape;
    return shape.size() < 2 ? x : b.reshape(x, erased(shape, 2));
  }

  static Values build(Rewriter& rw, const Scores& s, const Sum& sum, bool weights, const Shape& weights_shape) {
    Builder& b = rw.builder;
    Value q = total(rw, s.q), k = total(rw, s.k), v = b.reshape(rw(sum.v), sum.v_shape);
    Value v_a = s.v_a.valid() ? rw(s.v_a) : Value{}, bias = s.bias.valid() ? rw(s.bias) : Value{}, mask;
    if (v_a.valid()) v_a = b.reshape(v_a, {b.type(q).dim(-1)});
    for (const Mask& m : s.masks) {
      const Value allowed = m.negated ? b.emit(ops::logical_not, {{rw(m.value)}}) : rw(m.value);
      mask = mask.valid() ? b.emit(ops::logical_and, {{mask}, {allowed}}) : allowed;
    }
    if (s.scale_by.valid()) (v_a.valid() ? v_a : q) = b.mul(v_a.valid() ? v_a : q, rw(s.scale_by));
    if (s.divide_by.valid()) (v_a.valid() ? v_a : q) = b.div(v_a.valid() ? v_a : q, rw(s.divide_by));
    Shape scores = s.shape;
    if (!s.single && at(scores, 2).is(1)) {  // one query after all
      q = without_queries(b, q);
      if (mask.valid()) mask = without_queries(b, mask);
      if (bias.valid()) bias = without_queries(b, bias);
    }
    Attrs attrs{{"scale", s.scale}, {"weights", weights}};
    if (v_a.valid()) attrs.set("score", std::string("additive"));
    const auto group = [](Value x) { return x.valid() ? Values{x} : Values{}; };
    Values results = b.emit_all(ops::attention, {{q}, {k}, {v}, group(v_a), group(mask), group(bias)}, attrs);
    results[0] = b.reshape(results[0], sum.result_shape);
    if (weights) results[1] = b.reshape(results[1], weights_shape);
    return results;
  }

  const Readers& r_;
  PassContext& context_;
  Value weights_;
  int softmax_ = -1;
  std::string reason_;
};

Graph fused(const Graph& graph, PassContext& context) {
  const bool any = std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const Node& n) { return n.op == &ops::softmax; });
  if (!any) return graph;
  const Readers readers(graph);
  AttentionFinder finder(readers, context);
  std::vector<Replacement> found;
  for (size_t n = 0; n < graph.nodes().size(); ++n)
    if (graph.nodes()[n].op == &ops::softmax)
      if (auto r = finder.find(graph.nodes()[n], static_cast<int>(n))) found.push_back(std::move(*r));
  return replace_all(graph, std::move(found));
}

}  // namespace

Graph fuse_attention(const Graph& graph, PassContext& context) {
  return with_regions(graph, [&](const Graph& g) { return fused(g, context); });
}

}  // namespace weft::ir
