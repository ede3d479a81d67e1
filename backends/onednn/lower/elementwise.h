// backends/onednn/lower/elementwise.h -- elementwise nodes, one or a group, as one kernel.
#pragma once
#include "backends/onednn/lower/lowering.h"

namespace weft::onednn {

// Whether the elementwise kernel computes this node: f32, s32, s64 and pred only. Others run
// plainly.
bool runs_as_program(const ir::OpView& op);
void lower_elementwise(Emit& e);
void lower_plainly(Emit& e);  // one node of any dtypes, an element at a time

}  // namespace weft::onednn
