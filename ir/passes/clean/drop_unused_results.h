// ir/passes/clean/drop_unused_results.h -- optional results that nobody reads are no longer requested:
// attention's weights and lse, cells' gates, gradients of attention_grad.
#pragma once
#include "ir/graph.h"

namespace weft::ir {

Graph drop_unused_results(const Graph& graph);

}  // namespace weft::ir
