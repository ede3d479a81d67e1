// models/cli/graphs/graph_file.h -- a graph out of a .ir file.
#pragma once
#include "ir/graph.h"

#include <functional>
#include <string>
#include <vector>

namespace weft::cli {

// Read, parsed, verified. Throws GraphError beginning with the path.
ir::Graph read_graph(const std::string& path);

// What --gradient asks for: "loss" or "loss:x,attention/W". By default the arguments are all float
// ones. Throws UsageError.
struct Gradients {
  std::string result;
  std::vector<std::string> arguments;  // by name or path, as they were given
};
Gradients gradients_asked_for(const std::string& text, const ir::Graph& graph);

// A graph with gradients as further results, asked for one after the other: each may be that of a
// result of those before.
struct Differentiated {
  ir::Graph graph;
  std::vector<std::string> results;  // what they are called: "loss", "dx", "datt/W", "ddx"
};
// `cotangent` says of a result whether its adjoint is one more input ("d" + its name).
Differentiated differentiated(const ir::Graph& graph, const std::vector<std::string>& asked,
                              const std::function<bool(const std::string& result)>& cotangent = {});

inline constexpr const char* kGradientHelp =
    "Adds d<ARGUMENT> for these arguments (default: all float ones) to the results. Given again, "
    "the next one may be of those before: --gradient loss:x --gradient dx:x adds ddx";

}  // namespace weft::cli
