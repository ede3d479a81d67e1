// ir/passes/padding/pack_choice.h -- which values can be packed for given sequences (pack_tokens.h says
// what that takes).
#pragma once
#include "ir/graph.h"
#include "ir/rules/row_use.h"

#include <vector>

namespace weft::ir {

// The sequences of a scan, or of a mask.
struct Sequences {
  Value lengths;
  Dim steps, batch;
  bool by_sequence = false;  // the order of their packed rows (pack.h)
  bool operator==(const Sequences& o) const { return lengths == o.lengths && steps == o.steps; }
};

// Where a value has the rows of the sequences: nowhere (axes 0), as its first axis (1: rows one
// after the other) or its first two (2: steps and sequences); in the order of steps, or of
// sequences.
struct RowAxes {
  int axes = 0;
  bool by_sequence = false;
  bool operator==(const RowAxes&) const = default;
};

struct PackChoice {
  std::vector<RowAxes> forms;  // by value
  std::vector<RowUse> uses;    // by node; mixed: stays as it is

  bool packs(size_t node) const { return uses[node] != RowUse::mixed; }
  bool summed(size_t node) const { return uses[node] == RowUse::summed; }
  RowAxes form(Value v) const { return forms[static_cast<size_t>(v.id)]; }
  int count() const;  // of nodes that are packed
};

// Is `mask`, of that rank, the mask of these lengths along the first and the last of the scores'
// axes, or less than that?
bool hides_ended(const Graph& graph, Value mask, int rank, const Sequences& sequences);

PackChoice choose_packing(const Graph& graph, const Sequences& sequences);

}  // namespace weft::ir
