// ir/passes/loops/cut_loop.h -- one loop becomes two, where some of its carries do without the others.
//
// Stacked recurrent layers written as one loop: the lower layer's state needs nothing of the upper
// one's, so it can run through all steps first. What the upper layer makes of it alone (its input
// projection) then depends on scanned values only and leaves the second loop: all steps at once.
#pragma once
#include "ir/passes/loops/loop_places.h"
#include "ir/passes/pass.h"
#include "ir/rewrite/rewrite.h"

namespace weft::ir {

// The results of the two loops in place of `scan`'s, or nothing where no cut is worthwhile: no
// look-up or contraction would leave the second loop, or the values that cross are larger than the
// loop's state, or ended rows would reach live ones. `places` is the analysis of this scan.
std::optional<Values> cut_loop(Rewriter& outer, const Node& scan, const LoopPlaces& places,
                               PassContext& context);

}  // namespace weft::ir
