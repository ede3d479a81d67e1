// ir/passes/attention_scores.cpp -- reading masked, biased, scaled scores back to queries and keys.
#include "ir/passes/attention_scores.h"

#include <algorithm>
#include <cmath>

namespace weft::ir {

Dim at(const Shape& shape, size_t from_end) {
  return from_end <= shape.size() ? shape[shape.size() - from_end] : Dim(1);
}

Shape erased(Shape shape, size_t from_end) {
  if (from_end <= shape.size()) shape.erase(shape.end() - static_cast<int64_t>(from_end));
  return shape;
}

Shape widest(const std::vector<Shaped>& terms) {
  Shape w;
  for (const Shaped& t : terms) {
    if (t.shape.size() > w.size()) w.insert(w.begin(), t.shape.size() - w.size(), Dim(1));
    for (size_t i = 1; i <= t.shape.size(); ++i)
      if (w[w.size() - i].is(1)) w[w.size() - i] = at(t.shape, i);
  }
  return w;
}

namespace {

bool all_ones(const Shape& shape) {
  return std::all_of(shape.begin(), shape.end(), [](const Dim& d) { return d.is(1); });
}

class ScoreFinder {
 public:
  explicit ScoreFinder(const Readers& readers) : r_(readers) {}

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

 private:
  int index_of(const Node& node) const { return r_.graph->info(node.results[0]).node; }
  Shape shape(Value v) const { return r_.graph->type(v).shape; }

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
      const bool found =
          (from.back().is(1) && erased(from, 1) == to && column(n->operands[0], tried)) ||
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
    return keep_dot(*n, {{n->operands[0], shape(n->operands[0])}},
                    {{n->operands[1], shape(n->operands[1])}}, false, shape(e), s);
  }

  // q [...,1,D] times k transposed, its axis of one query taken away.
  bool row(Value e, Scores& s) {
    const Node* n = r_.producer(e, ops::matmul);
    if (n == nullptr) return false;
    const OpView op = r_.view(*n);
    if (op.flag("transpose_a") || !op.flag("transpose_b")) return false;
    const Shape q = shape(n->operands[0]);
    return keep_dot(*n, {{n->operands[0], erased(q, 2)}}, {{n->operands[1], shape(n->operands[1])}},
                    true, erased(shape(e), 2), s);
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
    return keep_dot(*n, {{right, erased(shape(right), tb ? 2 : 1)}}, {{left, shape(left)}}, true,
                    erased(shape(e), 1), s);
  }

  bool keep_dot(const Node& n, std::vector<Shaped> q, std::vector<Shaped> k, bool single,
                Shape scores, Scores& s) {
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
    if (n == nullptr || r_.view(*n).integers("axes") != Integers{-1} || r_.view(*n).flag("keep"))
      return false;
    const Node* m = r_.producer(n->operands[0], ops::mul);
    if (m == nullptr) return false;
    Scores tried = s;
    tried.nodes.push_back(index_of(*n));
    tried.nodes.push_back(index_of(*m));
    for (const size_t i : {0, 1}) {
      const Node* t = r_.producer(m->operands[i], ops::tanh);
      const Value v_a = m->operands[1 - i];
      if (t == nullptr || shape(v_a).size() != 1 || shape(t->results[0]) != shape(m->results[0]))
        continue;
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

  // Tells apart what belongs to queries and to keys in a sum (or product) [...,(T,)S,D], by the
  // axes that are 1: k has no query axis, q no key axis.
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
      if (s.single && queries_have_axis && std::any_of(k.begin(), k.end(), [&](const Shaped& x) {
            return at(x.shape, 3) != queries && shape(x.value).size() > 2;
          }))
        return false;
      for (Shaped& x : q) x.shape = erased(x.shape, 2);
      if (!s.single)
        for (Shaped& x : k) x.shape = erased(x.shape, 3);
    }
    for (const Value t : neither)
      q.push_back({t, shape(t)});  // a bias of the sum goes with the query
    s.q = std::move(q), s.k = std::move(k), s.shape = scores;
    Shape qs = widest(s.q), ks = widest(s.k),
          lead(scores.begin(), scores.end() - (s.single ? 1 : 2));
    const Dim width = at(full, 1);
    Shape want_q = lead, want_k = lead;
    if (!s.single) want_q.push_back(at(scores, 2));
    want_q.push_back(width), want_k.push_back(keys), want_k.push_back(width);
    return qs == want_q && ks == want_k;
  }

  void flatten(Value v, const OpDef& op, bool deep, std::vector<Value>& terms, Scores& s,
               int depth = 0) {
    const Node* n = r_.producer(v, op);
    // Only sums that mix queries and keys are taken apart: a bias added to either stays with it.
    if (n == nullptr ||
        (depth > 0 && (!deep || !r_.one(v) || at(shape(v), 2).is(1) ||
                       shape(n->operands[0]) == shape(n->operands[1]) || plain_key(*n)))) {
      terms.push_back(v);
      return;
    }
    s.nodes.push_back(index_of(*n));
    for (const Value x : n->operands) flatten(x, op, deep, terms, s, depth + 1);
  }
  // k + b: a sum that broadcasts no query into it.
  bool plain_key(const Node& n) const {
    return std::any_of(n.operands.begin(), n.operands.end(),
                       [&](Value v) { return shape(v).size() <= 1; });
  }

  const Readers& r_;
};

}  // namespace

bool find_scores(const Readers& readers, Value e, Scores& scores) {
  return ScoreFinder(readers).masked(e, scores);
}

}  // namespace weft::ir
