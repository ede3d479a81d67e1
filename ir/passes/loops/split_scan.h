// ir/passes/loops/split_scan.h -- what does not recur leaves the loop.
//
//   hoist          what depends on invariants only is computed once, before
//   batch before   what depends on scanned inputs only is computed for all steps at once, before
//   batch after    what feeds no carry is computed for all steps at once, after
//   accumulate     a carry that only adds up what does not recur becomes one contraction, after
//   cut            carries that need none of the others run first, in a loop of their own
//
// Outputs and values are those of the loop: what moves out is followed by select(live, ., 0) where
// ended rows would show. Held back: ops without a batching rule (ir/rules), and what would make
// stacked values larger than the loop's own state (see ir/passes/loops/loop_places.h).
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph split_scan(const Graph& graph, PassContext& context);

}  // namespace weft::ir
