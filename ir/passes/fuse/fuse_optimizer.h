// ir/passes/fuse/fuse_optimizer.h -- norms and updates of all parameters become one op each.
//
//   sum(g1 * g1) + sum(g2 * g2) + ...                        =>   squared_norm(g1, g2, ...)
//   m1 = b1 m + (1-b1) g;  v1 = b2 v + (1-b2) g g;
//   p1 = p - lr * (m1 / (1-b1^t)) / (sqrt(v1 / (1-b2^t)) + eps)         for every p   =>
//   adam_update a1 = rho a + (1-rho) g g;  u = sqrt(d + eps) / sqrt(a1 + eps) * g; d1 = rho d +
//   (1-rho) u u;  p1 = p - lr u                            for every p   =>   adadelta_update
//
// (Kingma and Ba 2015; Zeiler 2012.) Parameters with equal constants, step and learning rate share
// one op. A scalar that multiplies every gradient (clipping) is taken in, as is weight decay, L2 or
// decoupled.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph fuse_optimizer(const Graph& graph, PassContext& context);

}  // namespace weft::ir
