// ir/passes/fuse/merge_matmuls.h -- products of one value with several weights become one.
//
//   matmul(x, W1), matmul(x, W2), ...   =>   m = matmul(x, concat(W1, W2, ...)), slices of m
//   with a bias where products have one: + concat(b1, b2, ...)
//   concat(matmul(x, W1), matmul(x, W2), ...)   =>   matmul(x, concat(W1, W2, ...))
//
// A weight is a rank-2 argument (in a loop: an invariant), or made of weights by moving elements
// about. The concat costs a copy of the weights each time it runs: nothing in a loop, from which
// split_scan hoists it. Outside loops it is done where x has many rows (rank 3 or more, or 64 known
// rows), so that a step of decoding never copies its weights, and where all that read the products
// are attention or move elements anyway (heads): anything else, a loop above all, would have the
// slices copied, which costs more than one large product saves.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph merge_matmuls(const Graph& graph, PassContext& context);

}  // namespace weft::ir
