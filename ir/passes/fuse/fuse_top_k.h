// ir/passes/fuse/fuse_top_k.h -- log-softmax and the choice of its best become one op.
//
//   %y = log_softmax(%x) {axis=-1}
//   %v, %i = top_k(%y) {k}
//     =>
//   %v, %i = log_softmax_top_k(%x) {k}
//
// Held back where %y is read elsewhere: it is written then anyway.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph fuse_top_k(const Graph& graph, PassContext& context);

}  // namespace weft::ir
