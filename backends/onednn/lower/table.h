// backends/onednn/lower/table.h -- the lowering of every op.
#pragma once
#include "backends/onednn/plan/lowering.h"

#include <span>

namespace weft::onednn {

std::span<const Lowering> lowerings();               // sorted by op name
const Lowering* find_lowering(const ir::OpDef* op);  // null: the table lacks it
// Whether this node has kernels; else it runs as its expansion (custom_vjp: as its region).
bool is_lowered(const ir::OpView& op);

}  // namespace weft::onednn
