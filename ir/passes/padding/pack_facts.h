// ir/passes/padding/pack_facts.h -- what is known of a graph while packing is chosen for some sequences.
#pragma once
#include "ir/passes/padding/pack_choice.h"

#include <functional>

namespace weft::ir {

struct PackFacts {
  PackFacts(const Graph& graph, const Sequences& sequences);

  const Graph& g;
  const Sequences s;
  const std::vector<std::vector<int>> readers;  // by value
  const Dim rows;                               // of all sequences, packed
  std::vector<RowAxes> form;                    // by value
  // By value: ended rows are zero; rows behind the real ones are, once packed.
  std::vector<bool> zero, packed_zero;
  std::vector<RowUse> use;  // by node; mixed: stays as it is

  static size_t at(Value v) { return static_cast<size_t>(v.id); }
  bool packs(size_t n) const { return use[n] != RowUse::mixed; }
  bool summed(size_t n) const { return use[n] == RowUse::summed; }
  RowAxes form_of(Value v) const { return form[at(v)]; }
  bool is_packed(Value v) const {
    const int n = g.info(v).node;
    return n >= 0 && use[static_cast<size_t>(n)] == RowUse::row_wise;
  }
  bool is_output(Value v) const;
  bool leads(Value v, const Dim& first, const Dim& second) const;
  RowAxes form_of_type(Value v) const;

  // By operand of a node: are its ended rows zero; and its rows behind the real ones, packed?
  std::vector<bool> original_zeros(const Node& node) const;
  std::vector<bool> packed_zeros(const Node& node) const;

 private:
  std::vector<bool> zeros(const Node& node, const std::function<bool(Value)>& is_zero) const;
};

// Where values have rows, what nodes do with them, and which ended rows are zero: pack_forms.cpp.
void find_forms(PackFacts& facts);

// Do ended rows of this operand reach nothing that counts? pack_ignored.cpp.
bool ignores_ended(const PackFacts& facts, const Node& node, size_t operand);
// Of attention and its adjoint: do ended queries (keys) reach nothing that counts?
bool ignores_queries(const PackFacts& facts, const Node& node);
bool ignores_keys(const PackFacts& facts, const Node& node);
// [B,T,heads,...] and [B,heads,T,...]: one becomes the other.
bool splits_heads(const OpView& op);

}  // namespace weft::ir
