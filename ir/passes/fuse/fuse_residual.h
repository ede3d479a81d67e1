// ir/passes/fuse/fuse_residual.h -- a product and what it is added to become one op.
//
//   add(matmul(x, W), r), add(linear(x, W; b), r)   =>   linear(x, W; b; r)
//
// r is of the product's shape: a residual connection, or the gradient so far. A kernel adds to it
// where it lies if nobody else reads it. Held back where the product is read elsewhere or has an
// activation, and where the sum belongs to a chain of elementwise ops, which a backend runs as one.
// Done last: others look for the pieces.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph fuse_residual(const Graph& graph, PassContext& context);

}  // namespace weft::ir
