// ir/ops/table.h -- the one list of every op.
#pragma once
#include <span>
#include <string_view>

#include "ir/op_def.h"

namespace weft::ir::ops {

std::span<const OpDef* const> table();               // sorted by name
const OpDef* find(std::string_view name);            // null: no such op
std::string closest_name(std::string_view name);     // for "did you mean"

}  // namespace weft::ir::ops
