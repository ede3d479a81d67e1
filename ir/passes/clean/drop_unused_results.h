// ir/passes/clean/drop_unused_results.h -- ops that compute results only where asked are asked for no
// more than is read: attention's weights and lse, cells' gates, the adjoints attention_grad is to
// give.
#pragma once
#include "ir/graph.h"

namespace weft::ir {

Graph drop_unused_results(const Graph& graph);

}  // namespace weft::ir
