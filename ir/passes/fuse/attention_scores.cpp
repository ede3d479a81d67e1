// ir/passes/fuse/attention_scores.cpp -- reading masked, biased, scaled scores back to queries and keys.
#include "ir/passes/fuse/attention_scores.h"

#include "ir/error.h"

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

  bool find(Value e, Scores& s) {
    if (!peel(e, s, 1)) {
      if (s.reason.empty()) s.reason = concat(named(e), " is neither a dot nor an additive score");
      return false;
    }
    if (!ordinary_factors(s)) return false;
    causal_apart(s);
    return true;
  }

 private:
  // Factors go to queries and biases. Extreme ones would take them out of range where the score,
  // multiplied afterwards, is in it.
  static bool ordinary_factors(Scores& s) {
    const auto is_ordinary = [](double x) { return std::abs(x) >= 1e-12 && std::abs(x) <= 1e12; };
    const bool all = is_ordinary(s.scale) &&
                     std::all_of(s.biases.begin(), s.biases.end(),
                                 [&](const ScoreBias& b) { return is_ordinary(b.factor); });
    if (!all) s.reason = concat("it is scaled by ", s.scale, ", out of the range of sound factors");
    return all;
  }

  int index_of(const Node& node) const { return r_.graph->info(node.results[0]).node; }
  Shape shape(Value v) const { return r_.graph->type(v).shape; }
  std::string named(Value v) const {
    const Node* p = r_.producer(v);
    return r_.graph->display_name(v) +
           (p != nullptr && p->from.loc.known() ? ", made at " + p->from.loc.str() : "");
  }

  // Takes masks, biases and factors off, the outermost first. `factor`: of those taken off so far.
  bool peel(Value e, Scores& s, double factor) {
    if (score(e, s)) {
      s.scale *= factor;
      return true;
    }
    if (const Node* n = r_.producer(e, ops::select)) return unmask(*n, s, factor);
    if (const Node* n = r_.producer(e, ops::add)) return unbias(*n, s, factor);
    const Node* n = r_.producer(e, ops::mul);
    const bool divided = n == nullptr && (n = r_.producer(e, ops::div)) != nullptr;
    return n != nullptr && unscale(*n, divided, s, factor);
  }

  bool unmask(const Node& n, Scores& s, double factor) {
    const auto yes = r_.scalar(n.operands[1]), no = r_.scalar(n.operands[2]);
    const bool negated = yes && *yes == -HUGE_VAL;
    if (!negated && !(no && *no == -HUGE_VAL)) {
      if (const auto fill = yes ? yes : no; fill && *fill < -1000)
        s.reason =
            concat(named(n.results[0]), " hides with ", *fill,
                   ", -inf would fuse: queries that see nothing then get zeros, not the mean "
                   "of all values");
      return false;
    }
    s.masked = true;
    s.nodes.push_back(index_of(n));
    const Value rest = n.operands[negated ? 2 : 1];
    if (factor <= 0 || shape(rest) != shape(n.results[0])) {
      s.reason = concat(named(n.results[0]), factor <= 0 ? " is masked and then multiplied by "
                                                           "something that is not positive"
                                                         : ": its mask widens the scores");
      return false;
    }
    add_mask(n.operands[0], negated, shape(n.operands[0]), s);
    return peel(rest, s, factor);
  }

  // Conditions that must all hold are masks of their own; reshapes that put in an axis of size 1
  // go to each of them.
  void add_mask(Value m, bool negated, const Shape& as, Scores& s) {
    const Node* n = r_.producer(m);
    if (n != nullptr && n->op == &ops::logical_not)
      return add_mask(n->operands[0], !negated, as, s);
    if (n != nullptr && n->op == &ops::broadcast && as == shape(m))
      return add_mask(n->operands[0], negated, shape(n->operands[0]), s);
    if (n != nullptr && n->op == &ops::reshape && as == shape(m)) {
      const Node* inner = r_.producer(n->operands[0]);
      const Shape from = shape(n->operands[0]);
      if (inner != nullptr && inner->op == (negated ? &ops::logical_or : &ops::logical_and) &&
          as.size() == from.size() + 1)
        for (size_t axis = 1; axis <= as.size(); ++axis)
          if (at(as, axis).is(1) && erased(as, axis) == from) {
            for (const Value x : inner->operands) {
              Shape own = shape(x);
              if (own.size() + 1 >= axis && own.size() >= axis - 1 && own.size() != 0)
                own.insert(own.end() - static_cast<int64_t>(axis - 1), Dim(1));
              if (own == shape(x))
                add_mask(x, negated, own, s);
              else
                s.masks.push_back({x, negated, own});
            }
            return;
          }
    }
    if (n != nullptr && n->op == (negated ? &ops::logical_or : &ops::logical_and) &&
        as == shape(m)) {
      for (const Value x : n->operands) add_mask(x, negated, shape(x), s);
      return;
    }
    s.masks.push_back({m, negated, as});
  }

  bool unbias(const Node& n, Scores& s, double factor) {
    for (const size_t i : {0, 1}) {
      const Value rest = n.operands[i], bias = n.operands[1 - i];
      if (shape(rest) != shape(n.results[0])) continue;
      Scores tried = s;
      tried.nodes.push_back(index_of(n));
      if (!mask_as_sum(bias, tried)) tried.biases.push_back({bias, factor});
      if (peel(rest, tried, factor)) {
        s = std::move(tried);
        return true;
      }
      if (s.reason.empty()) s.reason = tried.reason;
      s.masked |= tried.masked;
    }
    return false;
  }

  // select(m, 0, -inf), added: a mask.
  bool mask_as_sum(Value bias, Scores& s) {
    const Node* n = r_.producer(bias, ops::select);
    if (n == nullptr) return false;
    const auto yes = r_.scalar(n->operands[1]), no = r_.scalar(n->operands[2]);
    if (!yes || !no || shape(n->operands[0]) != shape(bias)) return false;
    const bool negated = *yes == -HUGE_VAL && *no == 0;
    if (!negated && !(*yes == 0 && *no == -HUGE_VAL)) return false;
    s.masked = true;
    add_mask(n->operands[0], negated, shape(n->operands[0]), s);
    return true;
  }

  bool unscale(const Node& n, bool divided, Scores& s, double factor) {
    for (const size_t i : {0, 1}) {
      const Value by = n.operands[1 - i];
      const auto c = r_.scalar(by);
      if ((divided && i == 1) || r_.graph->type(by).rank() != 0) continue;
      Scores tried = s;
      tried.nodes.push_back(index_of(n));
      if (c) {
        if (divided && *c == 0) continue;
        if (!peel(n.operands[i], tried, divided ? factor / *c : factor * *c)) continue;
      } else {  // known at run time only: goes to the queries, so nothing may lie in between
        if (!score(n.operands[i], tried)) continue;
        tried.scale *= factor;
        (divided ? tried.divide_by : tried.scale_by) = by;
      }
      s = std::move(tried);
      return true;
    }
    return false;
  }

  // --- causal masks

  // The axis from the end along which v counts 0, 1, 2, ..., or 0.
  size_t counts_along(Value v) const {
    const Node* n = r_.producer(v);
    if (n == nullptr) return 0;
    if (n->op == &ops::iota) return shape(v).size() - static_cast<size_t>(r_.view(*n).axis());
    if (n->op == &ops::broadcast || n->op == &ops::cast) return counts_along(n->operands[0]);
    if (n->op != &ops::reshape) return 0;
    const Shape from = shape(n->operands[0]), to = shape(v);
    const size_t before = counts_along(n->operands[0]);
    if (before == 0) return 0;
    size_t wide = 0, axis = 0;
    for (size_t i = 1; i <= to.size(); ++i)
      if (!at(to, i).is(1)) axis = i, ++wide;
    return wide == 1 && at(to, axis) == at(from, before) ? axis : 0;
  }

  // Is it true where key <= query?
  bool is_causal(const Mask& m, const Scores& s) const {
    if (s.single || (m.shape.size() >= 2 && shape(m.value) != m.shape && shape(m.value).size() < 2))
      return false;
    for (size_t i = 3; i <= m.shape.size(); ++i)
      if (!at(m.shape, i).is(1)) return false;
    const Node* n = r_.producer(m.value);
    if (n == nullptr) return false;
    if (n->op == &ops::constant) return causal_values(*n, m);
    if (n->op == &ops::reshape && !at(shape(n->operands[0]), 1).is(1) &&
        at(shape(n->operands[0]), 1) == at(m.shape, 1) &&
        at(shape(n->operands[0]), 2) == at(m.shape, 2))
      return is_causal({n->operands[0], m.negated, shape(n->operands[0])}, s);
    if (n->operands.size() != 2) return false;
    const size_t left = counts_along(n->operands[0]), right = counts_along(n->operands[1]);
    const OpDef* op = n->op;
    const auto compares = [&](const OpDef& straight, const OpDef& turned) {
      return op == (m.negated ? &turned : &straight);
    };
    return (left == 2 && right == 1 && compares(ops::greater_equal, ops::less)) ||
           (left == 1 && right == 2 && compares(ops::less_equal, ops::greater));
  }
  bool causal_values(const Node& n, const Mask& m) const {
    const Reals& values = r_.view(n).reals("values");
    if (m.shape.size() < 2 || !at(m.shape, 1).is_constant() || !at(m.shape, 2).is_constant())
      return false;
    const int64_t queries = *at(m.shape, 2).constant(), keys = *at(m.shape, 1).constant();
    if (static_cast<int64_t>(values.size()) != queries * keys || queries < 2) return false;
    for (int64_t t = 0; t < queries; ++t)
      for (int64_t j = 0; j < keys; ++j)
        if ((values[static_cast<size_t>(t * keys + j)] != 0) != ((j <= t) != m.negated))
          return false;
    return true;
  }
  void causal_apart(Scores& s) {
    for (size_t i = 0; i < s.masks.size();) {
      if (!is_causal(s.masks[i], s)) {
        ++i;
        continue;
      }
      s.causal = true;
      s.masks.erase(s.masks.begin() + static_cast<int64_t>(i));
    }
  }

  // --- the score

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

  // An operand of a product, its last two axes exchanged where `swap`.
  Shaped side(Value v, bool swap) const {
    Shape as = shape(v);
    if (swap && as.size() >= 2) std::swap(as[as.size() - 1], as[as.size() - 2]);
    return {v, as, swap};
  }

  // q [...,T,D] times k [...,S,D] transposed, either way round in memory.
  bool product(Value e, Scores& s) {
    const Node* n = r_.producer(e, ops::matmul);
    if (n == nullptr) return false;
    const OpView op = r_.view(*n);
    return keep_dot(*n, {side(n->operands[0], op.flag("transpose_a"))},
                    {side(n->operands[1], !op.flag("transpose_b"))}, false, shape(e), s);
  }

  // q [...,1,D] times k transposed, its axis of one query taken away.
  bool row(Value e, Scores& s) {
    const Node* n = r_.producer(e, ops::matmul);
    if (n == nullptr) return false;
    const OpView op = r_.view(*n);
    if (op.flag("transpose_a")) return false;
    const Shape q = shape(n->operands[0]);
    return keep_dot(*n, {{n->operands[0], erased(q, 2)}},
                    {side(n->operands[1], !op.flag("transpose_b"))}, true, erased(shape(e), 2), s);
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
    if (qs.size() + (single ? 1 : 0) != ks.size() ||
        !std::equal(ks.begin(), ks.end() - 2, qs.begin())) {
      s.reason = concat("leading axes of queries ", named(q[0].value), " of ", str(qs),
                        " and keys ", named(k[0].value), " of ", str(ks), " differ");
      return false;
    }
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
  return ScoreFinder(readers).find(e, scores);
}

}  // namespace weft::ir
