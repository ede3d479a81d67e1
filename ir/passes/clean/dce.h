// ir/passes/clean/dce.h -- what no output needs is gone, in loops too.
//
// Of a scan: results nobody reads, carries that only feed themselves, scanned inputs and invariants
// that are not read, all go; a carry that never changes becomes an invariant, and its result the
// initial value; what is given twice is given once; constants given from outside move in.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph dce(const Graph& graph, PassContext& context);

}  // namespace weft::ir
