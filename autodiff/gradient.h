// autodiff/gradient.h -- reverse-mode differentiation of a graph, as a graph.
//
//   gradient(graph, "loss", {"x", "attention/W"})
//
// returns the graph with its outputs, then one more for each argument named: "d" + that name ("dd"
// + it where the graph has an output of that name, as a gradient has), of the argument's type.
// Parameters go by path, other arguments by name; '/' in a path becomes '.' in the output's name.
// The result must be an output of float type; of a result that is not a scalar the gradient is that
// of its sum, or, with `cotangent`, its product with one more input (last, named "d" + result).
// What it does not depend on has a gradient of zeros.
//
// What comes out is ordinary graph: it can be printed, verified, optimised and differentiated
// again. Nodes of the backward pass bear the scope and line of the node they come from.
#pragma once
#include "autodiff/policy.h"
#include "ir/graph.h"

#include <string>
#include <string_view>
#include <vector>

namespace weft::autodiff {

struct GradientOptions {
  bool cotangent = false;
  ResidualPolicy residuals = {};  // of loops; `segments` is for `recomputed`
};

// The name of the output that `gradient` adds to the graph for an argument.
std::string gradient_name(const ir::Graph& graph, std::string_view argument);

ir::Graph gradient(const ir::Graph& graph, std::string_view result,
                   const std::vector<std::string>& with_respect_to,
                   const GradientOptions& options = {});

// Every float argument by path or, where it has none, by name; what `gradient` takes by default.
std::vector<std::string> float_arguments(const ir::Graph& graph);

}  // namespace weft::autodiff
