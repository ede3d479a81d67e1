// backends/reference/reference.h -- what a graph means: its values, computed in double.
//
// Floats of every dtype are held and computed in double and never rounded to f32 (only `cast` to
// f16 and bf16 rounds); integers are exact and wrap to their width; pred is 0 or 1. An argument of
// float type may be given as an array of any float dtype and is read unrounded.
#pragma once
#include "ir/graph.h"
#include "ir/host/array.h"

#include <vector>

namespace weft::backends::reference {

// The outputs of `graph`: floats as f64 arrays, everything else in its own dtype. Symbols are read
// off the arguments' shapes; `bindings` gives those that cannot be, and is compared with the rest.
// Throws GraphError: arguments that do not fit, an index out of range, a division by zero.
std::vector<ir::Array> evaluate(const ir::Graph& graph, const std::vector<ir::Array>& arguments,
                                const ir::Bindings& bindings = {});

// Every value of the top-level graph in the same form, at the place of its `Value::id`.
std::vector<ir::Array> evaluate_values(const ir::Graph& graph,
                                       const std::vector<ir::Array>& arguments,
                                       const ir::Bindings& bindings = {});

}  // namespace weft::backends::reference
