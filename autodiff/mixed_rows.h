// autodiff/mixed_rows.h -- loops whose rows mix are written without lengths before they are
// differentiated.
//
//   %s = scan(%s0; %x; ...; %n) (%s, %x, ..., %live) { ... yield %s1 }
//     =>
//   %s = scan(%s0; %x, 0..T-1; ..., %n) (%s, %x, %t, ..., %n) {
//     %live = greater(%n, %t)
//     ... %s2 = select(%live, %s1, %s) yield %s2
//   }
//
// The derivative of a loop with lengths (rules/scan.cpp) takes ended rows to reach nothing that
// counts, which holds where examples do not mix. Of other bodies it is that of the masks written
// out: right, if slower.
#pragma once
#include "ir/graph.h"

namespace weft::autodiff {

// `known`: can rows be told from other axes at all? Where not, every loop counts as mixing.
ir::Graph rows_kept_apart(const ir::Graph& graph, bool known);

}  // namespace weft::autodiff
