// ir/passes/clean/fold_constants.h -- what depends on constants alone is computed now.
//
// By `context.evaluate`, all at once; without it nothing is folded. Never makes a constant of more
// than 1024 elements; equal elements stay one value. `iota` alone is left as it is.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph fold_constants(const Graph& graph, PassContext& context);

}  // namespace weft::ir
