// ir/passes/fuse/cells/gate_terms.cpp -- taking sums of gates apart and putting them side by side.
#include "ir/passes/fuse/cells/gate_terms.h"

#include <algorithm>

namespace weft::ir {
namespace {

constexpr size_t kMostTerms = 16, kMostNodes = 256;  // of one cell; what is larger is none

Value lanes_of(Builder& b, Value v, int64_t axis, const Dim& start, const Dim& stop) {
  return b.slice(v, axis, start, stop);
}

// w's rows and columns, as it is stored.
Value stored_weight(Rewriter& rw, const Term& t) {
  Builder& b = rw.builder;
  Value w = lanes_of(b, rw(t.w), t.transposed ? -2 : -1, t.start, t.stop);
  if (t.some_rows) w = lanes_of(b, w, t.transposed ? -1 : -2, t.row0, t.row1);
  return t.negated ? b.neg(w) : w;
}

Value materialised(Rewriter& rw, const Term& t) {
  Builder& b = rw.builder;
  if (t.some_rows) return b.matmul(rw(t.left), stored_weight(rw, t), false, t.transposed);
  const Value v = lanes_of(b, rw(t.v), -1, t.start, t.stop);
  return t.negated ? b.neg(v) : v;
}

bool continues(const Term& a, const Term& b) {
  return a.v == b.v && a.stop == b.start && !a.negated && !b.negated && a.left == b.left &&
         a.some_rows == b.some_rows && (!a.some_rows || (a.row0 == b.row0 && a.row1 == b.row1));
}

// Takes from every gate a term that `fits` the one before it; nothing if some gate has none.
template <typename Fits>
Terms take_one_each(std::vector<Terms>& gates, size_t first, const Fits& fits) {
  std::vector<size_t> chosen{first};
  for (size_t g = 1; g < gates.size(); ++g) {
    const Term& last = gates[g - 1][chosen.back()];
    size_t i = 0;
    while (i < gates[g].size() && !fits(last, gates[g][i])) ++i;
    if (i == gates[g].size()) return {};
    chosen.push_back(i);
  }
  Terms taken;
  for (size_t g = 0; g < gates.size(); ++g) {
    taken.push_back(gates[g][chosen[g]]);
    gates[g].erase(gates[g].begin() + static_cast<int64_t>(chosen[g]));
  }
  return taken;
}

}  // namespace

Lanes all_lanes(const GraphUses& r, Value v) { return {v, 0, r.graph->type(v).dim(-1)}; }

Lanes through_slices(const GraphUses& r, Lanes lanes, std::vector<int>& nodes) {
  while (const Node* n = r.producer(lanes.v, ops::slice)) {
    const OpView op = r.view(*n);
    if (op.integer("axis") != -1 || op.integer("step") != 1) break;
    nodes.push_back(r.graph->info(lanes.v).node);
    lanes = {n->operands[0], op.dim("start") + lanes.start, op.dim("start") + lanes.stop};
  }
  return lanes;
}

Lanes through(const GraphUses& r, const OpDef& op, Lanes lanes, std::vector<int>& nodes) {
  lanes = through_slices(r, lanes, nodes);
  const Node* n = r.producer(lanes.v, op);
  if (n == nullptr) return {};
  nodes.push_back(r.graph->info(lanes.v).node);
  return {n->operands[0], lanes.start, lanes.stop};
}

void collect_terms(const GraphUses& r, Lanes lanes, Terms& terms, std::vector<int>& nodes) {
  lanes = through_slices(r, lanes, nodes);
  const int index = r.graph->info(lanes.v).node;
  const Node* n = r.producer(lanes.v);
  if (n != nullptr && n->op == &ops::add && terms.size() < kMostTerms &&
      nodes.size() < kMostNodes) {
    const Dim width = r.graph->type(lanes.v).dim(-1);
    const auto wide = [&](Value v) {
      return r.graph->type(v).rank() > 0 && r.graph->type(v).dim(-1) == width;
    };
    if (wide(n->operands[0]) && wide(n->operands[1])) {
      nodes.push_back(index);
      for (const Value v : n->operands)
        collect_terms(r, {v, lanes.start, lanes.stop}, terms, nodes);
      return;
    }
  }
  if (n != nullptr && n->op == &ops::concat && r.view(*n).integer("axis") == -1) {
    Dim at = 0;
    for (const Value v : n->operands) {
      const Dim end = at + r.graph->type(v).dim(-1);
      if (at == lanes.start && end == lanes.stop) {
        nodes.push_back(index);
        return collect_terms(r, all_lanes(r, v), terms, nodes);
      }
      at = end;
    }
  }
  Term t{lanes.v, lanes.start, lanes.stop, {}, {}, false, false, {}, {}, false};
  if (n != nullptr && n->op == &ops::matmul && !r.view(*n).flag("transpose_a") &&
      r.graph->type(n->operands[1]).rank() == 2) {
    t.left = n->operands[0], t.w = n->operands[1], t.transposed = r.view(*n).flag("transpose_b");
    // A product with [x; s] is a sum of products with x and with s.
    if (const Node* c = r.producer(t.left, ops::concat);
        c != nullptr && r.view(*c).integer("axis") == -1) {
      t.some_rows = true;
      for (const Value v : c->operands) {
        t.left = v;
        t.row1 = t.row0 + r.graph->type(v).dim(-1);
        terms.push_back(t);
        t.row0 = t.row1;
      }
      return;
    }
  }
  terms.push_back(t);
}

Value weight_columns(Rewriter& rw, const Term& term) {
  const Value w = stored_weight(rw, term);
  return term.transposed ? rw.builder.transpose(w, {1, 0}) : w;
}

Value side_by_side(Rewriter& rw, std::vector<Terms> gates, const TensorType& state) {
  Builder& b = rw.builder;
  Values matrices, vectors;
  const auto add = [&](Value v) { (b.type(v).rank() == 1 ? vectors : matrices).push_back(v); };
  const auto rank = [&](const Term& t) { return rw.from().type(t.v).rank(); };
  // What is side by side already, then products of one value with several matrices.
  const auto same_left = [](const Term& x, const Term& y) {
    return x.product() && y.product() && x.left == y.left && x.transposed == y.transposed;
  };
  for (size_t i = 0; i < gates[0].size();) {
    if (const Terms taken = take_one_each(gates, i, continues); !taken.empty()) {
      Term whole = taken.front();
      whole.stop = taken.back().stop;
      add(materialised(rw, whole));
    } else if (const Terms products =
                   gates[0][i].product() ? take_one_each(gates, i, same_left) : Terms{};
               !products.empty()) {
      Values weights;
      for (const Term& t : products) weights.push_back(stored_weight(rw, t));
      const bool transposed = products[0].transposed;
      add(b.matmul(rw(products[0].left), b.concat(weights, transposed ? -2 : -1), false,
                   transposed));
    } else {
      ++i;
    }
  }
  // What is left, by gate: vectors (biases) apart from the rest, zeros where a gate has none.
  for (const bool biases : {true, false}) {
    const auto counts = [&](const Term& t) { return (rank(t) == 1) == biases; };
    const bool some = std::any_of(gates.begin(), gates.end(), [&](const Terms& g) {
      return std::any_of(g.begin(), g.end(), counts);
    });
    if (!some) continue;
    Values parts;
    for (const Terms& gate : gates) {
      Value sum;
      for (const Term& t : gate)
        if (counts(t)) sum = sum.valid() ? b.add(sum, materialised(rw, t)) : materialised(rw, t);
      const TensorType zero{state.dtype, biases ? Shape{state.dim(-1)} : state.shape};
      parts.push_back(sum.valid() ? sum : b.zeros(zero));
    }
    add(b.concat(parts, -1));
  }
  const Dim width = state.dim(-1) * static_cast<int64_t>(gates.size());
  const Shape shape{state.dim(0), width};
  // Biases go to the first product, which is the input's in most models: a loop can do both before.
  vectors.insert(vectors.begin(), matrices.begin(), matrices.begin() + (matrices.empty() ? 0 : 1));
  if (!matrices.empty()) vectors.insert(vectors.end(), matrices.begin() + 1, matrices.end());
  if (vectors.empty()) return b.zeros({state.dtype, shape});
  Value total = vectors[0];
  for (size_t i = 1; i < vectors.size(); ++i) total = b.add(total, vectors[i]);
  return b.broadcast(total, shape);
}

}  // namespace weft::ir
