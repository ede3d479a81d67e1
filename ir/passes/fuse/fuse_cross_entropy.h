// ir/passes/fuse/fuse_cross_entropy.h -- log-softmax, look-up, smoothing and masks become one op.
//
//   gather(log_softmax(x), labels)              (along the last axis, all others going together)
//                                               =>  -softmax_cross_entropy(x, labels)
//   sum(one_hot(labels) * log_softmax(x), -1)   =>  -softmax_cross_entropy(x, labels) {skip_unknown}
//   a * gather(logp, labels) + b * mean(logp, -1)
//                                               =>  -(a + b) * ... {smoothing = b / (a + b)}
//   select(mask, softmax_cross_entropy(x, labels), 0)
//                                               =>  softmax_cross_entropy(x, labels; cast(mask))
//
// Held back where the log-probabilities are read elsewhere: they would be computed anyway. A product
// of the loss with weights stays one: it is NaN where a weight of 0 meets an infinite loss.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph fuse_cross_entropy(const Graph& graph, PassContext& context);

}  // namespace weft::ir
