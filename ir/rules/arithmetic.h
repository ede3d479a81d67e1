// ir/rules/arithmetic.h -- how much arithmetic a graph is: the yardstick of the benches.
#pragma once
#include "ir/graph.h"

namespace weft::ir {

// Floating-point operations of all matrix products, a multiply-add counting two: matmuls (2 M N K),
// scores and weighted sums of attention, the products inside cells, once for each step of a loop.
// Masks and lengths save nothing here, windows do: bind the sizes that count. Ops written out in
// elementwise ops and sums count nothing, so count graphs in which patterns have been recognised.
// Throws GraphError where a symbol is not bound.
double product_flops(const Graph& graph, const Bindings& bindings);

}  // namespace weft::ir
