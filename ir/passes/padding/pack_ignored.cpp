// ir/passes/padding/pack_ignored.cpp -- readers that ignore ended rows: attention behind a mask, loops with
// these lengths.
#include "ir/ops/all.h"
#include "ir/passes/padding/ended_rows.h"
#include "ir/passes/padding/pack_facts.h"

#include <algorithm>

namespace weft::ir {
namespace {

size_t at(Value v) { return PackFacts::at(v); }

class RowReaders {
 public:
  explicit RowReaders(const PackFacts& facts) : f_(facts) {}

  // A node's operand by name.
  Value operand(const Node& node, std::string_view name) const {
    return node.operands[static_cast<size_t>(OpView(f_.g, node).position(name))];
  }
  static bool is_attention(const Node& node) {
    return node.op == &ops::attention || node.op == &ops::attention_grad;
  }
  // Queries, or keys and values, [B,...,T,...] of these sequences.
  bool are_of_sequences(const OpView& op, std::string_view name) const {
    const TensorType& t = op.operand(name);
    return t.rank() >= 3 && t.rank() == op.operand("k").rank() && t.dim(0) == f_.s.batch &&
           t.dim(-2) == f_.s.steps;
  }

  // Do ended queries reach nothing that counts? Forward, where what they look up is dropped; in the
  // adjoint, where they are asked for nothing.
  bool ignores_queries(const Node& node) const {
    const OpView op(f_.g, node);
    if (!are_of_sequences(op, "q")) return false;
    if (node.op == &ops::attention_grad)
      return f_.zero[at(operand(node, "do"))] && !op.has("dweights") && !op.has("dlse");
    return !op.flag("weights") && std::all_of(node.results.begin(), node.results.end(),
                                              [&](Value v) { return only_real_rows_are_read(v); });
  }
  // ... and ended keys: hidden from all queries, or from all but ended ones.
  bool ignores_keys(const Node& node) const {
    const OpView op(f_.g, node);
    if (!are_of_sequences(op, "k")) return false;
    const int keys = op.operand("k").rank(),
              scores = op.operand("q").rank() == keys ? keys : keys - 1;
    return (op.has("mask") && hides_ended(f_.g, operand(node, "mask"), scores, f_.s)) ||
           (ops::is_causal(op.integers("band")) && ignores_queries(node));
  }
  bool only_real_rows_are_read(Value v) const {
    if (f_.is_output(v)) return false;
    return std::all_of(f_.readers[at(v)].begin(), f_.readers[at(v)].end(), [&](int n) {
      const Node& reader = f_.g.nodes()[static_cast<size_t>(n)];
      const OpView op(f_.g, reader);
      if (reader.op == &ops::attention_grad)
        return std::count(reader.operands.begin(), reader.operands.end(), v) == 1 &&
               (operand(reader, "o") == v || operand(reader, "lse") == v) &&
               ignores_queries(reader);
      if (splits_heads(op)) return only_real_rows_are_read(reader.results[0]);
      return f_.packs(static_cast<size_t>(n));
    });
  }
  bool attention_ignores(const Node& node, size_t operand) const {
    const OpView op(f_.g, node);
    const auto is = [&](std::string_view name) {
      return static_cast<int>(operand) == op.position(name);
    };
    if (is("q")) return ignores_queries(node);
    return (is("k") || is("v")) && ignores_keys(node);
  }

  // Do ended rows of this operand reach nothing that counts? In attention; in a scan with these
  // lengths, by its body.
  bool ignores(const Node& node, size_t operand) const {
    const OpView op(f_.g, node);
    if (is_attention(node)) return attention_ignores(node, operand);
    if (splits_heads(op)) {
      const Value v = node.results[0];
      if (f_.is_output(v)) return false;
      for (const int n : f_.readers[at(v)]) {
        const Node& reader = f_.g.nodes()[static_cast<size_t>(n)];
        for (size_t i = 0; i < reader.operands.size(); ++i)
          if (reader.operands[i] == v && !(is_attention(reader) && attention_ignores(reader, i)))
            return false;
      }
      return true;
    }
    return node.op == &ops::scan && loop_ignores(node, operand);
  }

  // Scanned by a loop with these lengths that does not count them.
  bool loop_ignores(const Node& node, size_t operand) const {
    const OpView op(f_.g, node);
    const ops::ScanParts parts(op);
    const int i = static_cast<int>(operand) - parts.carries;
    if (!parts.has_lengths ||
        node.operands[static_cast<size_t>(op.position("lengths"))] != f_.s.lengths ||
        parts.steps != f_.s.steps)
      return false;
    if (i < 0 || i >= parts.scanned || parts.axes[static_cast<size_t>(i)] != 0 ||
        f_.form_of(node.operands[operand]) != RowAxes{2, false})
      return false;
    const Graph& body = node.regions[0];
    return !counted_rows(body, parts.row_carry, f_.s.batch)[at(body.arguments()[operand].value)];
  }

 private:
  const PackFacts& f_;
};

}  // namespace

bool splits_heads(const OpView& op) {
  return &op.def() == &ops::transpose && op.integers("perm") == Integers{0, 2, 1, 3};
}

bool ignores_ended(const PackFacts& facts, const Node& node, size_t operand) {
  return RowReaders(facts).ignores(node, operand);
}
bool ignores_queries(const PackFacts& facts, const Node& node) {
  return RowReaders(facts).ignores_queries(node);
}
bool ignores_keys(const PackFacts& facts, const Node& node) {
  return RowReaders(facts).ignores_keys(node);
}

}  // namespace weft::ir
