// backends/onednn/lower/elementwise.h -- elementwise nodes, one or a group, as one kernel.
#pragma once
#include "backends/onednn/plan/lowering.h"

namespace weft::onednn {

// Integer div, remainder and pow: what has no value is an error, which kernels do not look for.
bool divides_integers(const ir::OpView& op);
// Whether the elementwise kernel computes this node: f32, s32, s64 and pred, casts between f32 and
// bf16. Others run plainly.
bool runs_as_program(const ir::OpView& op);
void lower_elementwise(Emit& e);
// The bound if the kernel can keep to it: axis 0 of the result, rows, is its outermost in memory.
// If not all rows are computed, which does no harm.
std::optional<RowBound> prefix_bound(const std::optional<RowBound>& rows, const Tensor& out);
void lower_plainly(Emit& e);  // one node of any dtypes, an element at a time

}  // namespace weft::onednn
