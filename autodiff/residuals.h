// autodiff/residuals.h -- what the adjoint of a loop keeps of the loop, and what it computes again.
//
// The one place where that is decided. The body and its adjoint are one graph (a Joint) that is cut
// in two: its forward nodes run in the loop, its backward nodes in the reverse loop, and of the
// forward values that those read each is
//   free        an argument that the reverse loop is given anyway: scanned input, invariant, %live;
//   saved       stacked over the steps; always so for a carry that is read;
//   recomputed  by copies of its node in the reverse loop, from free, saved or recomputed values.
// What depends on invariants alone is recomputed (it leaves both loops later). What is costly to
// compute is saved: contractions, reductions, cells, attention, loops. What is left (elementwise
// ops, and ops that only move, repeat or make elements) is recomputed where that needs less memory
// than saving it: e.g. a tanh of [B,S,A] is never stacked when its operands [B,A] and [S,A] are
// available.
//
// What stands outside of loops is kept, but for what `recomputed` says.
#pragma once
#include "autodiff/policy.h"
#include "autodiff/sweep.h"

#include <vector>

namespace weft::autodiff {

enum class Residual : uint8_t { unused, free, saved, recomputed };

struct LoopBody {
  const Joint* joint;
  std::vector<bool> free;       // by value: arguments that the reverse loop has
  std::vector<bool> invariant;  // by value: arguments that are the same in every step
  ir::Values stacked;           // values that the loop stacks anyway, by output
};

// What happens to each value of the joint graph; the backward nodes' own are `unused`.
std::vector<Residual> residuals(const LoopBody& body, const ResidualPolicy& policy = {});

// A differentiated graph that computes parts of its forward nodes again where a backward node first
// reads of them:
//   - `policy.segments` pieces, cut where little crosses, so that each holds about as much of what
//     the backward pass reads; what crosses is kept, and so is the last;
//   - with `policy.recompute_moves`, what is cheap to make of values that outlive it.
// To be done last: `cse` would merge what is computed twice.
ir::Graph recomputed(const ir::Graph& graph, const ResidualPolicy& policy);

// Nodes of the joint graph that its adjoints need, by index.
std::vector<bool> needed_for(const ir::Graph& graph, const ir::Values& results);

// A size as a number, for comparison: every symbol counts as 32.
double nominal(const ir::Dim& dim);
double nominal_bytes(const ir::TensorType& type);

}  // namespace weft::autodiff
