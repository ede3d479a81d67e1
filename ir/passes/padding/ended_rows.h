// ir/passes/padding/ended_rows.h -- which values of a loop's body depend on rows that have ended.
//
// In a scan with lengths s32[B], a row lives until its sequence has ended. docs/rows.md explains
// the words. Which ops are row-wise is said by their rules (ir/rules/row_use.h); which arguments
// have rows, by their types: the graph is one whose equal sizes are the same axis
// (ir/rules/distinct_axes.h).
#pragma once
#include "ir/graph.h"

#include <vector>

namespace weft::ir {

// Per value of the body: `led` where its leading axis counts the rows; `zero` where its ended rows
// are zero; `free` where it does not depend on ended rows at all (a contraction over rows of
// something zero there, an invariant, ...).
struct EndedRows {
  std::vector<bool> led, zero, free;
};

// `zero_arguments`: values known to be zero in ended rows (lifted stacked outputs); `live`: the
// mask, [B] or broadcast; the body's arguments that are not led by rows are taken to be free.
EndedRows ended_rows(const Graph& body, const Dim& batch, Value live,
                     const std::vector<Value>& zero_arguments = {});

// Is `cond` the live mask, reshaped or broadcast along other axes?
bool is_live_mask(const Graph& body, Value cond, Value live);

// The first node through which ended rows reach live ones (or what has no rows) unmasked; null:
// none.
const Node* mixes_ended_rows(const Graph& body, const Dim& batch, Value live);

// Per value of the body: are its ended rows counted, that is, may they reach an output where they
// matter (ended rows of a carry that keeps them, and of a stacked output, do not)? `row_carry`: by
// carry, does it keep ended rows?
std::vector<bool> counted_rows(const Graph& body, const std::vector<bool>& row_carry,
                               const Dim& batch);
// ... where these arguments are led by the rows, whatever their types say.
std::vector<bool> counted_rows(const Graph& body, const std::vector<bool>& row_carry,
                               const Dim& batch, const std::vector<bool>& led_arguments);

// select(live, x, 0) becomes x where everything between it and the outputs is row-wise and those
// are row carries or stacked, whose ended rows are not counted.
Graph drop_live_selects(const Graph& body, const std::vector<bool>& row_carry, const Dim& batch,
                        Value live);

}  // namespace weft::ir
