// models/cli/graph_file.h -- a graph out of a .ir file.
#pragma once
#include "ir/graph.h"

#include <string>
#include <vector>

namespace weft::cli {

// Read, parsed, verified. Throws GraphError beginning with the path.
ir::Graph read_graph(const std::string& path);

// What --gradient asks for: "loss" or "loss:x,attention/W".
struct Gradients {
  std::string result;                  // empty: nothing
  std::vector<std::string> arguments;  // by name or path, as they were given
};
// By default the arguments are all float ones, by their names in the graph's header. Throws
// UsageError.
Gradients gradients_asked_for(const std::string& text, const ir::Graph& graph);

// The graph with those gradients as further results, in that order.
ir::Graph with_gradients(const ir::Graph& graph, const Gradients& gradients,
                         bool with_cotangent = false);

}  // namespace weft::cli
