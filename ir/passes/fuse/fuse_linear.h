// ir/passes/fuse/fuse_linear.h -- product, bias and activation become one op.
//
//   activation(matmul(x, W) + b), matmul(x, W) + b, activation(matmul(x, W))
//     =>
//   linear(x, W; b) {activation}
//
// W is of rank 2, b a vector. A product alone stays a matmul. Done before differentiation, last of
// all recognitions: the gradients of linear are ordinary contractions. Held back where the product
// or the sum before the activation is read elsewhere.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph fuse_linear(const Graph& graph, PassContext& context);

}  // namespace weft::ir
