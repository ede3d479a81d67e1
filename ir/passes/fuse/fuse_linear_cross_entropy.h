// ir/passes/fuse/fuse_linear_cross_entropy.h -- the vocabulary's scores, their loss and its gradient
// become one op.
//
//   %y = linear(%x, %w; %b)   %l, %s = softmax_cross_entropy(%y, %t)
//   %d = softmax_cross_entropy_grad(%g, %y, %t, %s)
//   %dx = matmul(%d, %w')   %dw = matmul(%x', %d)   %db = sum(%d)
//     =>   %l, %dx, %dw, %db = linear_cross_entropy(%g, %x, %w, %t; %b) {wanted=["x", "w", "bias"]}
//
// Scores are by far the largest values of a model with a vocabulary; a kernel of the whole needs a
// block of their rows at a time. Held back where anybody else reads the scores or their gradient,
// and where %g comes from the loss itself. For training graphs, behind pack_tokens.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph fuse_linear_cross_entropy(const Graph& graph, PassContext& context);

}  // namespace weft::ir
