// models/cli/graph_file.h -- a graph out of a .ir file.
#pragma once
#include <string>

#include "ir/graph.h"

namespace weft::cli {

// Read, parsed, verified. Throws GraphError beginning with the path.
ir::Graph read_graph(const std::string& path);

// "loss" or "loss:x,attention/W": the graph with the gradients of that result added, by default
// those of all float arguments.
ir::Graph with_gradients(const ir::Graph& graph, const std::string& what, bool with_cotangent = false);

}  // namespace weft::cli
