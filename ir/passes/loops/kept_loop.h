// ir/passes/loops/kept_loop.h -- the loop that is left where what does not recur has left it.
#pragma once
#include "ir/passes/loops/lifted_values.h"

namespace weft::ir {

// What it keeps: carries, by number; values of the body that it stacks since something outside
// reads them, in order; and of those that are summed outside, the ones whose batching rule sums.
struct KeptLoop {
  std::vector<int> carries;
  Values stacks;
  Values summed;

  bool empty() const { return carries.empty() && stacks.empty(); }
};
KeptLoop kept_loop(const LoopPlaces& places);

// Its results: the kept carries, then the stacks.
Values emit_kept_loop(const LoopPlaces& places, const KeptLoop& kept, const Node& scan,
                      LiftedValues& outside);

}  // namespace weft::ir
