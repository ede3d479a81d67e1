// ir/passes/padding/pack_forms.cpp -- where values have rows of the sequences, and what nodes do with
// them.
#include "ir/ops/all.h"
#include "ir/passes/padding/pack_facts.h"

#include <algorithm>

namespace weft::ir {
namespace {

size_t at(Value v) { return PackFacts::at(v); }

class Forms {
 public:
  explicit Forms(PackFacts& facts) : f_(facts) {}

  void look_at(size_t n) {
    const Node& node = f_.g.nodes()[n];
    const OpView op(f_.g, node);
    for (const Value v : node.results) f_.form[at(v)] = f_.form_of_type(v);
    find_zeros(op);
    const RowAxes k = form_of_operands(op);
    if (k.axes == 0 || !node.regions.empty() || node.op == &ops::pack || node.op == &ops::unpack)
      return;
    if (node.op == &ops::reshape) return look_at_reshape(n, op);
    if (swaps(op, k)) return same_rows(n, {2, !k.by_sequence});
    std::vector<bool> led;
    for (const Value v : node.operands) led.push_back(f_.form_of(v) == k);
    f_.use[n] = row_use(op, led, k.axes);
    if (f_.use[n] == RowUse::both) f_.use[n] = RowUse::mixed;
    if (f_.use[n] != RowUse::row_wise) return;
    if (!all_convertible(op, led, k)) {
      f_.use[n] = RowUse::mixed;
      return;
    }
    const std::vector<bool> zero = f_.original_zeros(node);
    for (size_t r = 0; r < node.results.size(); ++r) {
      f_.form[at(node.results[r])] = k;
      f_.zero[at(node.results[r])] = keeps_zero(op, static_cast<int>(r), zero);
    }
  }

  // The rows of operand 0 as they are.
  void same_rows(size_t n, RowAxes form) {
    const Node& node = f_.g.nodes()[n];
    f_.form[at(node.results[0])] = form;
    f_.zero[at(node.results[0])] = f_.zero[at(node.operands[0])];
    f_.use[n] = RowUse::row_wise;
  }

  void look_at_reshape(size_t n, const OpView& op) {
    const Value y = op.node().results[0];
    const bool by_sequence = f_.form_of(op.node().operands[0]).by_sequence;
    const Dim &first = by_sequence ? f_.s.batch : f_.s.steps,
              &second = by_sequence ? f_.s.steps : f_.s.batch;
    if (f_.leads(y, first, second))
      same_rows(n, {2, by_sequence});
    else if (op.result().rank() > 0 && op.result().dim(0) == f_.rows)
      same_rows(n, {1, by_sequence});
  }

  // Of the led operands, if they agree.
  RowAxes form_of_operands(const OpView& op) const {
    RowAxes k;
    for (const Value v : op.node().operands) {
      if (f_.form_of(v).axes == 0) continue;
      if (k.axes != 0 && f_.form_of(v) != k) return {};
      k = f_.form_of(v);
    }
    return k;
  }

  // Operands without rows of their own are read as they are, or get rows first; with one leading
  // axis nothing tells the latter from something else of that size.
  bool all_convertible(const OpView& op, const std::vector<bool>& led, RowAxes k) const {
    for (size_t i = 0; i < led.size() && k.axes == 1; ++i) {
      const TensorType& x = op.operand(static_cast<int>(i));
      if (!led[i] && x.rank() > 0 && x.dim(0) == f_.rows) return false;
    }
    return true;
  }

  // What is zero in ended rows by itself.
  void find_zeros(const OpView& op) {
    const Node& node = op.node();
    if (node.op == &ops::scan && op.has("lengths") &&
        node.operands[static_cast<size_t>(op.position("lengths"))] == f_.s.lengths) {
      const ops::ScanParts parts(op);
      for (int i = 0; i < parts.stacked && parts.steps == f_.s.steps; ++i)
        if (parts.out_axes[static_cast<size_t>(i)] == 0)
          f_.zero[at(node.results[static_cast<size_t>(parts.carries + i)])] = true;
    } else if (node.op == &ops::length_mask) {
      f_.zero[at(node.results[0])] = f_.form_of(node.results[0]) == RowAxes{2, true} &&
                                     node.operands[0] == f_.s.lengths &&
                                     op.dim("size") == f_.s.steps;
    } else if (splits_heads(op)) {
      f_.zero[at(node.results[0])] = f_.zero[at(node.operands[0])];
    } else if (node.op == &ops::attention_grad) {
      const Texts& wanted = op.texts("wanted");
      for (size_t r = 0; r < wanted.size(); ++r)
        f_.zero[at(node.results[r])] =
            wanted[r] == "q" ? ignores_queries(f_, node)
                             : (wanted[r] == "k" || wanted[r] == "v") && ignores_keys(f_, node);
    } else if (node.op == &ops::unpack) {
      f_.zero[at(node.results[0])] =
          node.operands[1] == f_.s.lengths && op.dim("steps") == f_.s.steps;
    }
  }

 private:
  // Steps and sequences change places.
  static bool swaps(const OpView& op, RowAxes k) {
    return &op.def() == &ops::transpose && k.axes == 2 && op.integers("perm")[0] == 1 &&
           op.integers("perm")[1] == 0;
  }

  PackFacts& f_;
};

}  // namespace

void find_forms(PackFacts& facts) {
  Forms forms(facts);
  for (const Argument& a : facts.g.arguments())
    facts.form[at(a.value)] = facts.form_of_type(a.value);
  for (size_t n = 0; n < facts.g.nodes().size(); ++n) forms.look_at(n);
}

}  // namespace weft::ir
