// tests/property/random_graph.h -- well-typed graphs nobody would write, for testing passes.
#pragma once
#include "ir/graph.h"
#include "ir/host/array.h"

#include <cstdint>
#include <vector>

namespace weft::tests {

// Of batch, target, source, widths and the embedding table. Where they coincide, as one symbol or
// as numbers, nothing but an op tells them apart.
struct RandomSizes {
  ir::Dim b = ir::Dim::symbol("B"), t = ir::Dim::symbol("T"), s = ir::Dim::symbol("S"), width = 3,
          rows = 7;
};
// Draws which of them coincide.
RandomSizes coinciding_sizes(uint64_t seed);

struct RandomGraphOptions {
  RandomSizes sizes = {};
  int nodes = 14;  // to aim at, at the top level
  int depth = 2;   // of nested loops
  bool loops = true;
};

// A graph over these sizes with float outputs; the last, "loss", is a scalar that depends on
// all others. The same seed gives the same graph. Values stay within a few units, away from kinks
// except by chance.
ir::Graph random_graph(uint64_t seed, const RandomGraphOptions& options = {});

// Small sizes for the symbols, and arguments: floats in [-1, 1] (f64), lengths in [0, T] or [0, S]
// with empty rows among them, indices within the tables.
ir::Bindings random_bindings(uint64_t seed);
std::vector<ir::Array> random_arguments(const ir::Graph& graph, const ir::Bindings& bindings,
                                        uint64_t seed, const RandomSizes& sizes = {});

}  // namespace weft::tests
