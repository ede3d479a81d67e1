// ir/rewrite/prologue.h -- what a graph computes from its parameters alone, apart from the rest.
//
//   %w = concat(%Uz, %Ur)         the prologue: once, while the parameters stay
//   %g = matmul(%x, %w)           the rest: in every run, with %w as an argument more
//
// For graphs that run again and again on the same parameters, as a step of decoding does. Views of
// parameters (a transpose, a slice) cost nothing where they are read and stay with the rest, and so
// does what has a size that is not fixed, or a region.
#pragma once
#include "ir/graph.h"

namespace weft::ir {

struct Prologue {
  Graph prologue;  // the graph's parameters -> "prologue.0", "prologue.1", ...
  Graph rest;      // the graph's arguments, then inputs of these names
};

Prologue split_prologue(const Graph& graph);

}  // namespace weft::ir
