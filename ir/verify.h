// ir/verify.h -- what every graph must satisfy.
#pragma once
#include "ir/graph.h"

#include <string>

namespace weft::ir {

// Throws GraphError naming the invariant's number ([verify.N], listed in verify.cpp) and the node.
// `after`: the pass just run, named in the message.
void verify(const Graph& graph, const std::string& after = {});

}  // namespace weft::ir
