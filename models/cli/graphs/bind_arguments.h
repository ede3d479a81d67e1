// models/cli/graphs/bind_arguments.h -- named arrays out of a file become the arguments of a graph.
#pragma once
#include "ir/graph.h"
#include "ir/host/array.h"
#include "ir/host/named_arrays.h"

#include <string>
#include <vector>

namespace weft::cli {

// "S=7": a symbol and its size. Throws UsageError.
ir::Bindings parse_bindings(const std::vector<std::string>& texts);

// Throws UsageError for a symbol that the graph has not.
void check_bindings(const ir::Graph& graph, const ir::Bindings& bindings);

// As arrays are named after it: "q", or "0" of an argument written %0.
std::string argument_name(const ir::Graph& graph, const ir::Argument& argument);

// One array for each argument, in the graph's order, found under its name in the header or its
// path. Integers are range-checked. Floats take the argument's dtype, or f64 where `exact`: the
// reference computes in double and rounds nothing. Missing and superfluous names, and data of the
// wrong kind or rank, are GraphErrors beginning with `file`.
std::vector<ir::Array> bind_arguments(const ir::Graph& graph, const ir::NamedArrays& arrays,
                                      const std::string& file, bool exact);

// Throws GraphError when a value of the graph would not fit into the machine's memory, or a loop
// would have more steps than positions can count, with these sizes.
void check_sizes(const ir::Graph& graph, const ir::Bindings& bindings);

}  // namespace weft::cli
