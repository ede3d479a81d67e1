// ir/passes/padding/pack_choice.cpp -- what may be packed for some sequences.
#include "ir/passes/padding/pack_choice.h"

#include "ir/ops/all.h"
#include "ir/passes/padding/ended_rows.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace weft::ir {
namespace {

bool is_zero_constant(const Graph& g, Value v) {
  const Node* p = g.producer(v);
  return p != nullptr && p->op == &ops::constant && OpView(g, *p).reals("values") == Reals{0.0};
}

class Chooser {
 public:
  Chooser(const Graph& g, const Sequences& s)
      : g_(g), s_(s), readers_(uses(g)), rows_(s.steps * s.batch) {
    form_.resize(static_cast<size_t>(g.value_count()));
    zero_.resize(form_.size());
    packed_zero_.resize(form_.size());
    use_.resize(g.nodes().size());
    for (const Argument& a : g.arguments()) form_[at(a.value)] = form_of_type(a.value);
    for (size_t n = 0; n < g.nodes().size(); ++n) look_at(n);
    while (demote_one_round()) {
    }
    demote_light_chains();
  }

  PackChoice chosen() && { return {std::move(form_), std::move(use_)}; }

 private:
  // Steps and sequences change places.
  static bool swaps(const OpView& op, Form k) {
    return &op.def() == &ops::transpose && k.axes == 2 && op.integers("perm")[0] == 1 &&
           op.integers("perm")[1] == 0;
  }

  bool packs(size_t n) const { return use_[n] != RowUse::mixed; }
  bool summed(size_t n) const { return use_[n] == RowUse::summed; }
  Form form(Value v) const { return form_[at(v)]; }
  static size_t at(Value v) { return static_cast<size_t>(v.id); }
  bool leads(Value v, const Dim& first, const Dim& second) const {
    const TensorType& t = g_.type(v);
    return t.rank() >= 2 && t.dim(0) == first && t.dim(1) == second;
  }
  Form form_of_type(Value v) const {
    if (leads(v, s_.steps, s_.batch)) return {2, false};
    if (leads(v, s_.batch, s_.steps)) return {2, true};
    return {};
  }
  bool is_packed(Value v) const {
    const int n = g_.info(v).node;
    return n >= 0 && use_[static_cast<size_t>(n)] == RowUse::row_wise;
  }

  std::vector<bool> zeros(const Node& node, const std::function<bool(Value)>& is_zero) const {
    std::vector<bool> zero;
    for (const Value v : node.operands) zero.push_back(is_zero(v) || is_zero_constant(g_, v));
    return zero;
  }
  std::vector<bool> original_zeros(const Node& node) const {
    return zeros(node, [&](Value v) { return form(v).axes > 0 && zero_[at(v)]; });
  }
  // Rows behind the real ones: what `pack` makes has zeros there.
  std::vector<bool> packed_zeros(const Node& node) const {
    return zeros(
        node, [&](Value v) { return form(v).axes > 0 && (!is_packed(v) || packed_zero_[at(v)]); });
  }

  void look_at(size_t n) {
    const Node& node = g_.nodes()[n];
    const OpView op(g_, node);
    for (const Value v : node.results) form_[at(v)] = form_of_type(v);
    find_zeros(op);
    const Form k = form_of_operands(op);
    if (k.axes == 0 || !node.regions.empty() || node.op == &ops::pack || node.op == &ops::unpack)
      return;
    if (node.op == &ops::reshape) return look_at_reshape(n, op);
    if (swaps(op, k)) return same_rows(n, {2, !k.by_sequence});
    std::vector<bool> led;
    for (const Value v : node.operands) led.push_back(form(v) == k);
    use_[n] = row_use(op, led, k.axes);
    if (use_[n] == RowUse::both) use_[n] = RowUse::mixed;
    if (use_[n] != RowUse::row_wise) return;
    if (!all_convertible(op, led, k)) {
      use_[n] = RowUse::mixed;
      return;
    }
    const std::vector<bool> zero = original_zeros(node);
    for (size_t r = 0; r < node.results.size(); ++r) {
      form_[at(node.results[r])] = k;
      zero_[at(node.results[r])] = keeps_zero(op, static_cast<int>(r), zero);
    }
  }

  // The rows of operand 0 as they are.
  void same_rows(size_t n, Form form) {
    const Node& node = g_.nodes()[n];
    form_[at(node.results[0])] = form;
    zero_[at(node.results[0])] = zero_[at(node.operands[0])];
    use_[n] = RowUse::row_wise;
  }

  void look_at_reshape(size_t n, const OpView& op) {
    const Value y = op.node().results[0];
    const bool by_sequence = form(op.node().operands[0]).by_sequence;
    const Dim &first = by_sequence ? s_.batch : s_.steps,
              &second = by_sequence ? s_.steps : s_.batch;
    if (leads(y, first, second))
      same_rows(n, {2, by_sequence});
    else if (op.result().rank() > 0 && op.result().dim(0) == rows_)
      same_rows(n, {1, by_sequence});
  }

  // Of the led operands, if they agree.
  Form form_of_operands(const OpView& op) const {
    Form k;
    for (const Value v : op.node().operands) {
      if (form(v).axes == 0) continue;
      if (k.axes != 0 && form(v) != k) return {};
      k = form(v);
    }
    return k;
  }

  // Operands without rows of their own are read as they are, or get rows first; with one leading
  // axis nothing tells the latter from something else of that size.
  bool all_convertible(const OpView& op, const std::vector<bool>& led, Form k) const {
    for (size_t i = 0; i < led.size() && k.axes == 1; ++i) {
      const TensorType& x = op.operand(static_cast<int>(i));
      if (!led[i] && x.rank() > 0 && x.dim(0) == rows_) return false;
    }
    return true;
  }

  // What is zero in ended rows by itself.
  void find_zeros(const OpView& op) {
    const Node& node = op.node();
    if (node.op == &ops::scan && op.has("lengths") &&
        node.operands[static_cast<size_t>(op.position("lengths"))] == s_.lengths) {
      const ops::ScanParts parts(op);
      for (int i = 0; i < parts.stacked && parts.steps == s_.steps; ++i)
        if (parts.out_axes[static_cast<size_t>(i)] == 0)
          zero_[at(node.results[static_cast<size_t>(parts.carries + i)])] = true;
    } else if (node.op == &ops::length_mask) {
      zero_[at(node.results[0])] = form(node.results[0]) == Form{2, true} &&
                                   node.operands[0] == s_.lengths && op.dim("size") == s_.steps;
    } else if (splits_heads(op)) {
      zero_[at(node.results[0])] = zero_[at(node.operands[0])];
    } else if (node.op == &ops::attention_grad) {
      const Texts& wanted = op.texts("wanted");
      for (size_t r = 0; r < wanted.size(); ++r)
        zero_[at(node.results[r])] =
            wanted[r] == "q" ? queries_do_not_count(node)
                             : (wanted[r] == "k" || wanted[r] == "v") && keys_do_not_count(node);
    } else if (node.op == &ops::unpack) {
      zero_[at(node.results[0])] = node.operands[1] == s_.lengths && op.dim("steps") == s_.steps;
    }
  }

  // [B,T,heads,...] and [B,heads,T,...]: one becomes the other.
  static bool splits_heads(const OpView& op) {
    return &op.def() == &ops::transpose && op.integers("perm") == Integers{0, 2, 1, 3};
  }
  Value operand(const Node& node, std::string_view name) const {
    return node.operands[static_cast<size_t>(OpView(g_, node).position(name))];
  }
  static bool is_attention(const Node& node) {
    return node.op == &ops::attention || node.op == &ops::attention_grad;
  }
  // Queries, or keys and values, [B,...,T,...] of these sequences.
  bool are_of_sequences(const OpView& op, std::string_view name) const {
    const TensorType& t = op.operand(name);
    return t.rank() >= 3 && t.rank() == op.operand("k").rank() && t.dim(0) == s_.batch &&
           t.dim(-2) == s_.steps;
  }

  // Do ended queries reach nothing that counts? Forward, where what they look up is dropped; in the
  // adjoint, where they are asked for nothing.
  bool queries_do_not_count(const Node& node) const {
    const OpView op(g_, node);
    if (!are_of_sequences(op, "q")) return false;
    if (node.op == &ops::attention_grad)
      return zero_[at(operand(node, "do"))] && !op.has("dweights");
    return !op.flag("weights") && std::all_of(node.results.begin(), node.results.end(),
                                              [&](Value v) { return only_real_rows_are_read(v); });
  }
  // ... and ended keys: hidden from all queries, or from all but ended ones.
  bool keys_do_not_count(const Node& node) const {
    const OpView op(g_, node);
    if (!are_of_sequences(op, "k")) return false;
    const int keys = op.operand("k").rank(),
              scores = op.operand("q").rank() == keys ? keys : keys - 1;
    return (op.has("mask") && hides_ended(g_, operand(node, "mask"), scores, s_)) ||
           (ops::is_causal(op.integers("band")) && queries_do_not_count(node));
  }
  bool only_real_rows_are_read(Value v) const {
    for (const Output& o : g_.outputs())
      if (o.value == v) return false;
    return std::all_of(readers_[at(v)].begin(), readers_[at(v)].end(), [&](int n) {
      const Node& reader = g_.nodes()[static_cast<size_t>(n)];
      const OpView op(g_, reader);
      if (reader.op == &ops::attention_grad)
        return std::count(reader.operands.begin(), reader.operands.end(), v) == 1 &&
               (operand(reader, "o") == v || operand(reader, "lse") == v) &&
               queries_do_not_count(reader);
      if (splits_heads(op)) return only_real_rows_are_read(reader.results[0]);
      return packs(static_cast<size_t>(n));
    });
  }
  bool attention_ignores(const Node& node, size_t operand) const {
    const OpView op(g_, node);
    const auto is = [&](std::string_view name) {
      return static_cast<int>(operand) == op.position(name);
    };
    if (is("q")) return queries_do_not_count(node);
    return (is("k") || is("v")) && keys_do_not_count(node);
  }

  // Do ended rows of this operand reach nothing that counts? In attention; in a scan with these
  // lengths, by its body.
  bool ignores(const Node& node, size_t operand) const {
    const OpView op(g_, node);
    if (is_attention(node)) return attention_ignores(node, operand);
    if (splits_heads(op)) {
      const Value v = node.results[0];
      for (const Output& o : g_.outputs())
        if (o.value == v) return false;
      for (const int n : readers_[at(v)]) {
        const Node& reader = g_.nodes()[static_cast<size_t>(n)];
        for (size_t i = 0; i < reader.operands.size(); ++i)
          if (reader.operands[i] == v && !(is_attention(reader) && attention_ignores(reader, i)))
            return false;
      }
      return true;
    }
    if (node.op != &ops::scan) return false;
    const ops::ScanParts parts(op);
    const int i = static_cast<int>(operand) - parts.carries;
    if (!parts.has_lengths ||
        node.operands[static_cast<size_t>(op.position("lengths"))] != s_.lengths ||
        parts.steps != s_.steps)
      return false;
    if (i < 0 || i >= parts.scanned || parts.axes[static_cast<size_t>(i)] != 0 ||
        form(node.operands[operand]) != Form{2, false})
      return false;
    const Graph& body = node.regions[0];
    return !rows_that_count(body, parts.row_carry, s_.batch)[at(body.arguments()[operand].value)];
  }

  bool demote_one_round() {
    std::vector<bool> wants_values(form_.size());  // some reader wants ended rows as they are
    for (const Output& o : g_.outputs()) wants_values[at(o.value)] = true;
    for (size_t n = 0; n < g_.nodes().size(); ++n)
      for (size_t i = 0; i < g_.nodes()[n].operands.size(); ++i) {
        const Value v = g_.nodes()[n].operands[i];
        if (!packs(n) && is_packed(v) && !wants_values[at(v)])
          wants_values[at(v)] = !ignores(g_.nodes()[n], i);
      }
    bool changed = false;
    for (size_t n = 0; n < g_.nodes().size(); ++n) {
      if (!packs(n)) continue;
      const Node& node = g_.nodes()[n];
      const OpView op(g_, node);
      const std::vector<bool> zero = packed_zeros(node);
      bool keep = true;
      if (summed(n)) keep = adds_nothing(op, zero) && adds_nothing(op, original_zeros(node));
      for (size_t r = 0; r < node.results.size() && !summed(n); ++r) {
        const size_t v = at(node.results[r]);
        packed_zero_[v] = node.op == &ops::reshape || node.op == &ops::transpose
                              ? zero[0]
                              : keeps_zero(op, static_cast<int>(r), zero);
        keep = keep && (!wants_values[v] || zero_[v]);
      }
      if (keep) continue;
      use_[n] = RowUse::mixed;
      changed = true;
    }
    return changed;
  }

  static bool is_heavy(const OpDef* op) {
    return op == &ops::matmul || op == &ops::linear || op == &ops::softmax_cross_entropy ||
           op == &ops::softmax_cross_entropy_grad;
  }

  // Moving rows pays for products and losses only; a sum reads rows that were moved for those.
  void demote_light_chains() {
    std::vector<size_t> chain(use_.size());
    std::iota(chain.begin(), chain.end(), size_t{0});
    const std::function<size_t(size_t)> root = [&](size_t n) {
      return chain[n] == n ? n : chain[n] = root(chain[n]);
    };
    for (size_t n = 0; n < use_.size(); ++n)
      for (const Value v : g_.nodes()[n].operands)
        if (packs(n) && is_packed(v)) chain[root(n)] = root(static_cast<size_t>(g_.info(v).node));
    std::vector<bool> heavy(use_.size());
    for (size_t n = 0; n < use_.size(); ++n)
      if (packs(n) && is_heavy(g_.nodes()[n].op)) heavy[root(n)] = true;
    const auto light = [&](size_t n) { return packs(n) && !heavy[root(n)]; };
    std::vector<bool> moved(form_.size());
    for (size_t n = 0; n < use_.size(); ++n)
      for (const Value v : g_.nodes()[n].operands)
        if (packs(n) && !light(n) && form(v).axes > 0) moved[at(v)] = true;
    for (size_t n = 0; n < use_.size(); ++n) {
      const Values& operands = g_.nodes()[n].operands;
      const bool reads_moved =
          summed(n) && std::all_of(operands.begin(), operands.end(), [&](Value v) {
            return form(v).axes == 0 || (moved[at(v)] && !is_packed(v));
          });
      if (light(n) && !reads_moved) use_[n] = RowUse::mixed;
    }
  }

  const Graph& g_;
  const Sequences s_;
  const std::vector<std::vector<int>> readers_;  // by value
  const Dim rows_;
  std::vector<Form> form_;  // by value
  std::vector<bool> zero_,
      packed_zero_;  // by value: ended rows are zero; rows behind the real ones are, once packed
  std::vector<RowUse> use_;  // by node; mixed: stays as it is
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
  return Chooser(graph, sequences).chosen();
}

}  // namespace weft::ir
