// ir/passes/padding/ended_rows.h -- what ended rows of a loop can reach in its body (an analysis).
//
// In a scan with lengths s32[B], a row whose sequence has ended is dead. A value led by the B rows
// is row-wise in an operand when dead rows of the operand reach only dead rows of the value.
#pragma once
#include "ir/graph.h"

#include <vector>

namespace weft::ir {

// Does row b of the node's result depend on operand `operand` through its row b only?
bool is_row_wise(const OpView& op, int operand, int result, const Dim& batch);

// Per value of the body: `zero` where its dead rows are zero, `free` where it does not depend on
// dead rows at all (a contraction over rows of something zero there, an invariant, ...).
struct DeadRows {
  std::vector<bool> zero, free;
};

// `zero_arguments`: values known to be zero on dead rows (lifted stacked outputs); `live`: the
// mask, [B] or broadcast; the body's arguments that are not led by rows are taken to be free.
DeadRows dead_rows(const Graph& body, const Dim& batch, Value live,
                   const std::vector<Value>& zero_arguments = {});

// Is `cond` the live mask, reshaped or broadcast along other axes?
bool is_live_mask(const Graph& body, Value cond, Value live);

// The first node through which ended rows reach live ones (or what has no rows) unmasked; null:
// none. Derivatives of loops with lengths need that there is none: rows are examples, which do not
// mix.
const Node* mixes_ended_rows(const Graph& body, const Dim& batch, Value live);

// Per value of the body: may a dead row of it reach an output where it counts (a row carry and a
// stacked output do not count)? `row_carry`: by carry, does it keep dead rows?
std::vector<bool> rows_that_count(const Graph& body, const std::vector<bool>& row_carry,
                                  const Dim& batch);

// select(live, x, 0) becomes x where everything between it and the outputs is row-wise and those
// are row carries or stacked, whose dead rows do not count.
Graph drop_live_selects(const Graph& body, const std::vector<bool>& row_carry, const Dim& batch,
                        Value live);

}  // namespace weft::ir
