// models/cli/graphs/compare_reference.h -- a backend's values against the reference's, node by node.
#pragma once
#include "backends/backend.h"
#include "ir/graph.h"
#include "ir/host/array.h"

#include <vector>

namespace weft::cli {

// Runs the graph on both backends with every value of its top level made a result, and throws GraphError for
// the first node whose values differ by more than float arithmetic explains: names it, the user's
// line, the worst element and the node's operands. Reports agreement on stderr.
void compare_reference(backends::Backend& backend, const ir::Graph& graph,
                       const ir::Bindings& bindings, const std::vector<ir::Array>& arguments);

}  // namespace weft::cli
