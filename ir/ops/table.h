// ir/ops/table.h -- the one list of every op.
#pragma once
#include "ir/op_def.h"

#include <span>
#include <string_view>

namespace weft::ir::ops {

std::span<const OpDef* const> table();            // sorted by name
const OpDef* find(std::string_view name);         // null: no such op
std::string closest_name(std::string_view name);  // for "did you mean"

}  // namespace weft::ir::ops
