// ir/passes/fuse/attention/attention_product.cpp -- queries times keys, or v . tanh(queries + keys), read back.
#include "ir/passes/fuse/attention/attention_product.h"

#include "ir/error.h"

#include <algorithm>

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

Shape with_leading_ones(Shape shape, size_t rank) {
  if (shape.size() < rank) shape.insert(shape.begin(), rank - shape.size(), Dim(1));
  return shape;
}

// --- additive scores, and dot products written as sums

bool plain_key(const GraphUses& r, const Node& n) {
  return std::any_of(n.operands.begin(), n.operands.end(),
                     [&](Value v) { return r.shape(v).size() <= 1; });
}

void flatten(const GraphUses& r, Value v, const OpDef& op, bool deep, std::vector<Value>& terms,
             Product& s, int depth = 0) {
  const Node* n = r.producer(v, op);
  // Only sums that mix queries and keys are taken apart: a bias added to either stays with it.
  if (n == nullptr ||
      (depth > 0 && (!deep || !r.one(v) || at(r.shape(v), 2).is(1) ||
                     r.shape(n->operands[0]) == r.shape(n->operands[1]) || plain_key(r, *n)))) {
    terms.push_back(v);
    return;
  }
  s.nodes.push_back(r.index(*n));
  for (const Value x : n->operands) flatten(r, x, op, deep, terms, s, depth + 1);
}

bool queries_and_keys(const GraphUses& r, Value u, bool summed, const Shape& scores, Product& s) {
  std::vector<Value> terms;
  flatten(r, u, summed ? ops::add : ops::mul, summed, terms, s);
  if (terms.size() < 2 || (!summed && terms.size() != 2)) return false;
  const Shape full = r.shape(u);
  const Dim keys = at(full, 2);
  std::vector<Shaped> q, k;
  std::vector<Value> neither;
  for (const Value t : terms) {
    const Shape own = r.shape(t);
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
          return at(x.shape, 3) != queries && r.shape(x.value).size() > 2;
        }))
      return false;
    for (Shaped& x : q) x.shape = erased(x.shape, 2);
    if (!s.single)
      for (Shaped& x : k) x.shape = erased(x.shape, 3);
  }
  Shape lead(scores.begin(), scores.end() - (s.single ? 1 : 2));
  const Dim width = at(full, 1);
  Shape want_q = lead, want_k = lead;
  if (!s.single) want_q.push_back(at(scores, 2));
  want_q.push_back(width), want_k.push_back(keys), want_k.push_back(width);
  // Leading axes of size 1 may have been left to broadcasting.
  for (Shaped& x : q) x.shape = with_leading_ones(x.shape, want_q.size());
  for (Shaped& x : k) x.shape = with_leading_ones(x.shape, want_k.size());
  for (const Value t : neither)
    q.push_back({t, r.shape(t)});  // a bias of the sum goes with the query
  s.q = std::move(q), s.k = std::move(k), s.shape = scores;
  const Shape qs = widest(s.q), ks = widest(s.k);
  return qs == want_q && ks == want_k;
}

bool reduced(const GraphUses& r, Value e, Product& s) {
  const Node* n = r.producer(e, ops::sum);
  if (n == nullptr || r.view(*n).integers("axes") != Integers{-1} || r.view(*n).flag("keep"))
    return false;
  const Node* m = r.producer(n->operands[0], ops::mul);
  if (m == nullptr) return false;
  Product tried = s;
  tried.nodes.push_back(r.index(*n));
  tried.nodes.push_back(r.index(*m));
  for (const size_t i : {0, 1}) {
    const Node* t = r.producer(m->operands[i], ops::tanh);
    const Value v_a = m->operands[1 - i];
    if (t == nullptr || r.shape(v_a).size() != 1 ||
        r.shape(t->results[0]) != r.shape(m->results[0]))
      continue;
    tried.nodes.push_back(r.index(*t));
    tried.v_a = v_a;
    if (!queries_and_keys(r, t->operands[0], true, r.shape(e), tried)) return false;
    s = std::move(tried);
    return true;
  }
  if (!queries_and_keys(r, m->results[0], false, r.shape(e), tried)) return false;
  s = std::move(tried);
  return true;
}

// --- dot products written as matrix products

bool keep_dot(const GraphUses& r, const Node& n, std::vector<Shaped> q, std::vector<Shaped> k,
              bool single, Shape scores, Product& s) {
  if (!is_float(r.graph->type(n.results[0]).dtype)) return false;
  const Shape &ks = k[0].shape, &qs = q[0].shape;
  if (qs.size() + (single ? 1 : 0) != ks.size() ||
      !std::equal(ks.begin(), ks.end() - 2, qs.begin())) {
    s.reason = concat("leading axes of queries ", r.named(q[0].value), " of ", str(qs),
                      " and keys ", r.named(k[0].value), " of ", str(ks), " differ");
    return false;
  }
  s.nodes.push_back(r.index(n));
  s.q = std::move(q), s.k = std::move(k), s.single = single, s.shape = std::move(scores);
  return true;
}

Shaped side(const GraphUses& r, Value v, bool swap) {
  Shape as = r.shape(v);
  if (swap && as.size() >= 2) std::swap(as[as.size() - 1], as[as.size() - 2]);
  return {v, as, swap};
}

bool product(const GraphUses& r, Value e, Product& s) {
  const Node* n = r.producer(e, ops::matmul);
  if (n == nullptr) return false;
  const OpView op = r.view(*n);
  return keep_dot(r, *n, {side(r, n->operands[0], op.flag("transpose_a"))},
                  {side(r, n->operands[1], !op.flag("transpose_b"))}, false, r.shape(e), s);
}

bool row(const GraphUses& r, Value e, Product& s) {
  const Node* n = r.producer(e, ops::matmul);
  if (n == nullptr) return false;
  const OpView op = r.view(*n);
  if (op.flag("transpose_a")) return false;
  const Shape q = r.shape(n->operands[0]);
  return keep_dot(r, *n, {{n->operands[0], erased(q, 2)}},
                  {side(r, n->operands[1], !op.flag("transpose_b"))}, true, erased(r.shape(e), 2),
                  s);
}

bool column(const GraphUses& r, Value e, Product& s) {
  const Node* n = r.producer(e, ops::matmul);
  if (n == nullptr) return false;
  const OpView op = r.view(*n);
  if (op.flag("transpose_a")) return false;
  const bool tb = op.flag("transpose_b");
  const Value left = n->operands[0], right = n->operands[1];
  if (r.shape(right).size() == 2) {
    if (const Node* t = r.producer(left, ops::tanh)) {
      s.nodes.push_back(r.index(*n));
      s.nodes.push_back(r.index(*t));
      s.v_a = right;
      return queries_and_keys(r, t->operands[0], true, erased(r.shape(left), 1), s);
    }
  }
  if (r.shape(left).size() != r.shape(right).size()) return false;
  return keep_dot(r, *n, {{right, erased(r.shape(right), tb ? 2 : 1)}}, {{left, r.shape(left)}},
                  true, erased(r.shape(e), 1), s);
}

}  // namespace

bool find_product(const GraphUses& r, Value e, Product& s) {
  if (const Node* n = r.producer(e, ops::reshape)) {
    const Shape from = r.shape(n->operands[0]), to = r.shape(e);
    if (from.size() != to.size() + 1) return false;
    Product tried = s;
    tried.nodes.push_back(r.index(*n));
    const bool found =
        (from.back().is(1) && erased(from, 1) == to && column(r, n->operands[0], tried)) ||
        (at(from, 2).is(1) && erased(from, 2) == to && row(r, n->operands[0], tried));
    if (found) s = std::move(tried);
    return found;
  }
  return product(r, e, s) || reduced(r, e, s);
}

}  // namespace weft::ir
