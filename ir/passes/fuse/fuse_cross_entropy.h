// ir/passes/fuse/fuse_cross_entropy.h -- log-softmax, look-up, smoothing and weights become one op.
//
//   gather(log_softmax(x), labels)                        along the last axis, all others going
//   together
//     | sum(one_hot(labels) * log_softmax(x), -1)         =>   -softmax_cross_entropy(x, labels)
//   a * gather(logp, labels) + b * mean(logp, -1)         =>   ... {smoothing = b / (a + b)} times
//   -(a + b) softmax_cross_entropy(x, labels) * w, select(mask, softmax_cross_entropy(x, labels),
//   0)
//                                                         =>   softmax_cross_entropy(x, labels; w)
//
// Held back where the log-probabilities are read elsewhere: they would be computed anyway.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph fuse_cross_entropy(const Graph& graph, PassContext& context);

}  // namespace weft::ir
