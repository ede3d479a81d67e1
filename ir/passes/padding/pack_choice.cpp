// ir/passes/padding/pack_choice.cpp -- which values can be packed for given sequences.
#include "ir/passes/padding/pack_choice.h"

#include "ir/ops/all.h"
#include "ir/passes/padding/pack_facts.h"
#include "ir/rules/op_rules.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace weft::ir {
namespace {

size_t at(Value v) { return PackFacts::at(v); }

// Nodes that stay as they are after all.
class Demotion {
 public:
  explicit Demotion(PackFacts& facts) : f_(facts) {}

  // Those whose ended rows somebody reads as they are; true if any.
  bool one_round() {
    std::vector<bool> wants_values(f_.form.size());  // some reader wants ended rows as they are
    for (const Output& o : f_.g.outputs()) wants_values[at(o.value)] = true;
    for (size_t n = 0; n < f_.g.nodes().size(); ++n)
      for (size_t i = 0; i < f_.g.nodes()[n].operands.size(); ++i) {
        const Value v = f_.g.nodes()[n].operands[i];
        if (!f_.packs(n) && f_.is_packed(v) && !wants_values[at(v)])
          wants_values[at(v)] = !ignores_ended(f_, f_.g.nodes()[n], i);
      }
    bool changed = false;
    for (size_t n = 0; n < f_.g.nodes().size(); ++n) {
      if (!f_.packs(n)) continue;
      const Node& node = f_.g.nodes()[n];
      const OpView op(f_.g, node);
      const std::vector<bool> zero = f_.packed_zeros(node);
      bool keep = true;
      if (f_.summed(n)) keep = adds_nothing(op, zero) && adds_nothing(op, f_.original_zeros(node));
      for (size_t r = 0; r < node.results.size() && !f_.summed(n); ++r) {
        const size_t v = at(node.results[r]);
        f_.packed_zero[v] = node.op == &ops::reshape || node.op == &ops::transpose
                                ? zero[0]
                                : keeps_zero(op, static_cast<int>(r), zero);
        keep = keep && (!wants_values[v] || f_.zero[v]);
      }
      if (keep) continue;
      f_.use[n] = RowUse::mixed;
      changed = true;
    }
    return changed;
  }

  // Moving rows pays for products and losses only; a sum reads rows that were moved for those.
  void light_chains() {
    std::vector<size_t> chain(f_.use.size());
    std::iota(chain.begin(), chain.end(), size_t{0});
    const std::function<size_t(size_t)> root = [&](size_t n) {
      return chain[n] == n ? n : chain[n] = root(chain[n]);
    };
    for (size_t n = 0; n < f_.use.size(); ++n)
      for (const Value v : f_.g.nodes()[n].operands)
        if (f_.packs(n) && f_.is_packed(v))
          chain[root(n)] = root(static_cast<size_t>(f_.g.info(v).node));
    std::vector<bool> heavy(f_.use.size());
    for (size_t n = 0; n < f_.use.size(); ++n)
      if (f_.packs(n) && is_heavy(f_.g.nodes()[n].op)) heavy[root(n)] = true;
    const auto light = [&](size_t n) { return f_.packs(n) && !heavy[root(n)]; };
    std::vector<bool> moved(f_.form.size());
    for (size_t n = 0; n < f_.use.size(); ++n)
      for (const Value v : f_.g.nodes()[n].operands)
        if (f_.packs(n) && !light(n) && f_.form_of(v).axes > 0) moved[at(v)] = true;
    for (size_t n = 0; n < f_.use.size(); ++n) {
      const Values& operands = f_.g.nodes()[n].operands;
      const bool reads_moved =
          f_.summed(n) && std::all_of(operands.begin(), operands.end(), [&](Value v) {
            return f_.form_of(v).axes == 0 || (moved[at(v)] && !f_.is_packed(v));
          });
      if (light(n) && !reads_moved) f_.use[n] = RowUse::mixed;
    }
  }

 private:
  static bool is_heavy(const OpDef* op) {
    return cost_of(*op) == Cost::product || cost_of(*op) == Cost::loss;
  }

  PackFacts& f_;
};

}  // namespace

int PackChoice::count() const {
  return static_cast<int>(
      std::count_if(uses.begin(), uses.end(), [](RowUse u) { return u != RowUse::mixed; }));
}

bool hides_ended(const Graph& g, Value mask, int rank, const Sequences& s) {
  const Node* p = g.producer(mask);
  const TensorType& t = g.type(mask);
  if (p == nullptr || t.rank() != rank) return false;
  if (p->op == &ops::length_mask)
    return rank == 2 && p->operands[0] == s.lengths && OpView(g, *p).dim("size") == s.steps;
  if (p->op == &ops::logical_and)
    return hides_ended(g, p->operands[0], rank, s) || hides_ended(g, p->operands[1], rank, s);
  if (p->op == &ops::reshape)  // axes of size 1 between the two
    return t.dim(0) == s.batch && t.dim(-1) == s.steps && hides_ended(g, p->operands[0], 2, s);
  return p->op == &ops::broadcast && hides_ended(g, p->operands[0], rank, s);
}

PackChoice choose_packing(const Graph& graph, const Sequences& sequences) {
  PackFacts facts(graph, sequences);
  find_forms(facts);
  Demotion demotion(facts);
  while (demotion.one_round()) {
  }
  demotion.light_chains();
  return {std::move(facts.form), std::move(facts.use)};
}

}  // namespace weft::ir
