// ir/passes/clean/canonicalize.h -- one spelling for one meaning.
//
// Later patterns know these spellings only:
//   - constants stand on the right of commutative ops, of rank 0 where they broadcast; constant
//     factors are merged; x / c is x * (1/c); x - c is x + (-c); x + -y is x - y
//   - an elementwise op broadcasts its operands itself: no broadcast or leading 1 axes before it
//   - reshapes and transposes are merged; a transpose that moves axes of size 1 only is a reshape;
//     a transpose of the last two axes before a matmul is a flag of the matmul
//   - reductions do not keep axes (a reshape puts the 1 back)
//   - softmax is over the last axis where only axes of size 1 follow
//   - slices of slices, slices of concats and concats of slices are resolved where sizes allow
//   - select has no negated condition
//   - a product with rows that are broadcast is taken before the broadcast: W [x; y] with x the
//     same for all keys is W1 x + W2 y (the concat score of Luong et al. 2015)
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph canonicalize(const Graph& graph, PassContext& context);

}  // namespace weft::ir
