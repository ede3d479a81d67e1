// tests/support/op_samples.h -- small graphs that use an op in as many ways as it has.
//
//   for (const OpDef* op : ops::table())
//     for (const Graph& graph : samples(*op, seed)) ...
//
// Every op of the table has samples: over random shapes (ones and primes among them), dtypes where
// they matter, attributes other than the defaults, optional operands, broadcasts. The op's node is
// one of the graph's, its results are outputs `y0`, `y1`, ... (or the whole graph's only output is
// `y`), floats are f32. A graph's arguments say by their names what may be in them:
//
//   float                    values in [-1.6, 1.6], all different, away from 0 and from each other
//   float, positive...       the same, in [0.4, 2]
//   integer, ..._below_N     0 .. N-1
//   integer, ..._upto_N      0 .. N
//   other integers           -9 .. 9
//   pred                     either
//
// so that kinks (relu at 0, ties of max, steps of floor at 0) are kept away from: finite
// differences of a step of 1e-5 are safe on every sample. Symbols are bound by `sample_bindings`.
#pragma once
#include "ir/graph.h"
#include "ir/host/array.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weft::tests {

// Some graphs for every op; none for an op that is not in op_samples.cpp.
std::vector<ir::Graph> samples(const ir::OpDef& op, uint64_t seed);

// Sizes for a sample's symbols: B, T, S, ... get 2..4, by name and seed.
ir::Bindings sample_bindings(const ir::Graph& graph, uint64_t seed);

// Arguments in the graph's order by the convention above; floats as f64 arrays unless `floats` says
// otherwise, everything else in its own dtype.
std::vector<ir::Array> sample_arguments(const ir::Graph& graph, const ir::Bindings& bindings,
                                        uint64_t seed, ir::DType floats = ir::DType::f64);

}  // namespace weft::tests
