// ir/passes/clean/cse.h -- equal nodes are computed once.
//
// Equal: the same op, attributes, operands (in either order, if commutative) and regions. `random`
// merges only with the same stream, which is one of its attributes.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph cse(const Graph& graph, PassContext& context);

}  // namespace weft::ir
