// ir/passes/fuse/attention/attention_band.h -- masks that compare positions, read as a band.
//
//   t - j < w and j <= t      of queries t and keys j, both counted by `iota`: band [w-1, 0]
//
// Either side may be a sum of positions and integers, their distance may stand in `abs`, and a
// mask of constants may have been folded from all that.
#pragma once
#include "ir/passes/fuse/attention/attention_mask.h"

namespace weft::ir {

struct BandRead {
  Integers band;       // empty: it is none
  std::string reason;  // why it is none though it compares positions, in the user's names
};

// Of a mask of scores [...,Tq,S].
BandRead band_of(const GraphUses& readers, const Mask& mask);

// What both show.
Integers both(const Integers& a, const Integers& b);

}  // namespace weft::ir
