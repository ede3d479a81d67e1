// ir/passes/fuse/cells/find_gru.cpp -- the equations of a GRU.
//
// Its update is found by pattern; the update gate and the candidate are then read towards their
// inputs. Where the reset gate stands in the candidate tells the two kinds apart.
#include "ir/error.h"
#include "ir/passes/fuse/cells/cell_parts.h"
#include "ir/passes/fuse/cells/cells.h"

namespace weft::ir {
namespace {

struct Candidate {
  Gate gate;
  Terms bias;       // within the product with the reset gate
  Value reset;      // the gate's value
  bool before;      // the state is reset before it is multiplied by the weights, or the product is
  CellParts parts;  // with the candidate's nodes
};

class GruFinder {
 public:
  GruFinder(const GraphUses& readers, PassContext& context, Value state)
      : r_(readers), context_(context), s_(state), type_(readers.graph->type(state)) {}

  // z: the update gate, n: the candidate; `towards_new`: state + z (n - state), else the other way.
  std::optional<Replacement> find(CellParts parts, Value z, Value n, bool towards_new) const {
    const Node& root = parts.root();
    if (!made_by(r_, z, ops::sigmoid)) return std::nullopt;
    const Terms terms = parts.terms(n, ops::tanh);
    const std::optional<Gate> update = parts.split(parts.terms(z, ops::sigmoid), s_);
    if (!update)
      return miss(root,
                  concat("its update gate ", name(z), " has no product with the state ", name(s_)));
    for (size_t i = 0; i < terms.size(); ++i)
      for (const size_t k : {0, 1}) {
        std::optional<Candidate> c = candidate(parts, terms, i, k);
        if (!c) continue;
        const auto reset = c->parts.split(c->parts.terms(c->reset, ops::sigmoid), s_);
        if (reset) return replacement(*update, *reset, *c, towards_new);
      }
    return miss(root,
                concat("its candidate ", name(n), " has no reset state r * s (or r * (s U))"));
  }

 private:
  std::string name(Value v) const { return r_.graph->display_name(v); }
  std::optional<Replacement> miss(const Node& root, const std::string& why) const {
    return nearly_a_cell(r_, root, "GRU", why, context_);
  }

  // With term i as the reset one, factor k of it the gate: (r * s) U, or r * (s U + b).
  std::optional<Candidate> candidate(CellParts parts, const Terms& terms, size_t i,
                                     size_t k) const {
    const Term t = terms[i];
    const Value product = t.product() ? t.left : t.v;
    const Node* m = r_.producer(product, ops::mul);
    if (m == nullptr) return std::nullopt;
    const Value gate = m->operands[k], other = m->operands[1 - k];
    if (!made_by(r_, gate, ops::sigmoid) || (t.product() && other != s_)) return std::nullopt;
    parts.cover(product);
    if (t.product() && !t.some_rows) parts.cover(t.v);
    Gate last{terms, t};
    last.inputs.erase(last.inputs.begin() + static_cast<int64_t>(i));
    if (t.product()) return Candidate{last, {}, gate, true, parts};
    const std::optional<Gate> inner = parts.split(parts.terms(other), s_);
    if (!inner) return std::nullopt;
    for (const Term& b : inner->inputs)
      if (r_.graph->type(b.v).rank() != 1) return std::nullopt;
    last.recurrent = inner->recurrent;
    return Candidate{last, inner->inputs, gate, false, parts};
  }

  std::optional<Replacement> replacement(const Gate& update, const Gate& r, const Candidate& c,
                                         bool towards_new) const {
    const Node& root = c.parts.root();
    if (!fit(r_, {update, r, c.gate}, type_))
      return miss(root, "its gates are not all of the state's shape");
    if (const std::string who = c.parts.read_elsewhere({root.results[0]}); !who.empty())
      return miss(root, who);
    const Gate z = c.before != towards_new ? update.negated() : update;
    const std::vector<Gate> gates =
        c.before ? std::vector{z, r, c.gate} : std::vector{r, z, c.gate};
    Replacement out;
    out.outputs = {root.results[0]};
    out.inputs = {s_};
    add_inputs(out, gates);
    add_inputs(out, c.bias);
    out.nodes = c.parts.nodes();
    out.build = [gates, bias = c.bias, s = s_, state = type_, before = c.before](Rewriter& rw) {
      return build(rw, gates, bias, s, state, before);
    };
    context_.done("fuse_cells",
                  concat(where(root), ": ", name(root.results[0]), " and ", c.parts.size() - 1,
                         " more became gru_cell (reset ", c.before ? "before" : "after", ")"));
    return out;
  }

  static Values build(Rewriter& rw, const std::vector<Gate>& gates, const Terms& bias, Value s,
                      const TensorType& state, bool before) {
    Builder& b = rw.builder;
    const Value u = recurrent_weights(rw, {gates[0].recurrent, gates[1].recurrent}),
                un = weight_columns(rw, gates[2].recurrent);
    const Value g = side_by_side(rw, {gates[0].inputs, gates[1].inputs, gates[2].inputs}, state);
    Values bias_n;
    for (const Term& t : bias) {
      const Value v = b.slice(rw(t.v), -1, t.start, t.stop);
      bias_n = {bias_n.empty() ? v : b.add(bias_n[0], v)};
    }
    return b.emit_all(ops::gru_cell, {{g}, {rw(s)}, {u}, {un}, bias_n},
                      {{"reset", std::string(before ? "before" : "after")}});
  }

  const GraphUses& r_;
  PassContext& context_;
  Value s_;
  TensorType type_;  // of the state
};

// from + z (to - from), in its spellings.
const std::vector<Pattern>& updates() {
  const Pattern z = any("z"), from = any("from"), to = any("to");
  static const std::vector<Pattern> list{
      op(ops::add, from, op(ops::mul, z, op(ops::sub, to, from))),  // x + z (y - x)
      op(ops::sub, from, op(ops::mul, z, op(ops::sub, from, to))),  // x - z (x - y)
      op(ops::add, op(ops::mul, op(ops::sub, scalar(1.0), z), from),
         op(ops::mul, z, to)),  // (1-z) x + z y
      op(ops::add, op(ops::sub, from, op(ops::mul, z, from)),
         op(ops::mul, z, to)),  // x - z x + z y
  };
  return list;
}

}  // namespace

std::optional<Replacement> find_gru(const GraphUses& r, const Node& root, int index,
                                    PassContext& context) {
  for (const Pattern& update : updates()) {
    if (root.op != update.parts().op) continue;
    const auto m = match(r, update, root.results[0]);
    if (!m) continue;
    const Value from = m->old("from"), to = m->old("to");
    const bool towards_new = made_by(r, to, ops::tanh);
    if (!towards_new && !made_by(r, from, ops::tanh)) continue;
    const GruFinder finder(r, context, towards_new ? from : to);
    if (auto found = finder.find(CellParts(r, root, index, m->nodes()), m->old("z"),
                                 towards_new ? to : from, towards_new))
      return found;
  }
  return std::nullopt;
}

}  // namespace weft::ir
