// ir/passes/fuse/cells/gate_terms.h -- what the gates of a recurrent cell are sums of.
//
// A gate's pre-activation is a sum of terms; a term is a range of columns ("lanes") of some value,
// or of a product whose columns are those of a weight. Reading through slices, concats and sums
// makes one wide matrix and one matrix a gate look the same.
#pragma once
#include "ir/rewrite/pattern.h"

namespace weft::ir {

struct Lanes {
  Value v;
  Dim start, stop;  // of the last axis
};

struct Term {
  Value v;  // lanes [start, stop) of its last axis ...
  Dim start, stop;
  Value left, w;  // ... v = left w, where it is a product: w is [K,N], or [N,K] if transposed
  bool transposed = false;
  bool some_rows = false;  // of w's rows only [row0, row1): v is a product with a concat
  Dim row0, row1;
  bool negated = false;

  bool product() const { return left.valid(); }
};
using Terms = std::vector<Term>;

Lanes all_lanes(const GraphUses& r, Value v);
// Through slices of the last axis.
Lanes through_slices(const GraphUses& r, Lanes lanes, std::vector<int>& nodes);
// The lanes of the operand of `op` whose result these lanes are; an invalid value if they are not.
Lanes through(const GraphUses& r, const OpDef& op, Lanes lanes, std::vector<int>& nodes);
// Appends the terms of a sum.
void collect_terms(const GraphUses& r, Lanes lanes, Terms& terms, std::vector<int>& nodes);

// [K, stop - start] of a product's weight, in the new graph.
Value weight_columns(Rewriter& rw, const Term& term);
// The gates side by side: T[B, gates * width] of each gate's sum of terms.
Value side_by_side(Rewriter& rw, std::vector<Terms> gates, const TensorType& state);

}  // namespace weft::ir
