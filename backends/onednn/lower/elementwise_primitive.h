// backends/onednn/lower/elementwise_primitive.h -- chains of elementwise nodes as one oneDNN
// primitive.
#pragma once
#include "backends/onednn/plan/lowering.h"

namespace weft::onednn {

// The node or group as an eltwise or binary primitive, what follows as its post-ops, where each node
// reads the result of the one before and oneDNN has them all on f32 (and their shapes; reference
// loops do not count). Else false, with nothing emitted.
bool emit_elementwise_primitive(Emit& e);

}  // namespace weft::onednn
