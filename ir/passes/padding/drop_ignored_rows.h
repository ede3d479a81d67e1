// ir/passes/padding/drop_ignored_rows.h -- rows that a loss leaves out need not be zeroed.
//
//   %m: pred[...]   %w = cast(%m)   %s = select(reshape(%m), %x, 0)
//   softmax_cross_entropy(%s, ...; %w)              =>  softmax_cross_entropy(%x, ...; %w)
//   softmax_cross_entropy_grad(%d, %s, ...; %w)     =>  softmax_cross_entropy_grad(%d, %x, ...; %w)
//   select(reshape(%m), softmax_cross_entropy_grad(...; %w), 0)   =>  the gradient itself
//
// The loss does not read rows of weight 0, and its gradient is zero there (ir/ops/loss.h). The
// selects come from `split_scan`, which takes the vocabulary's scores out of a loop whose rows end;
// each is a pass over [T,B,V].
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph drop_ignored_rows(const Graph& graph, PassContext& context);

}  // namespace weft::ir
