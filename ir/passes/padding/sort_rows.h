// ir/passes/padding/sort_rows.h -- the rows of a loop stand in the order of their lengths, the longest
// first.
//
//   %r, %o = scan(%s; %x; %k; %n)
//     =>
//   %order, %places = length_order(%n)
//   %r1, %o1 = scan(gather(%s, %order); gather(%x, %order) {axis=1}; ...; gather(%n, %order))
//   %r = gather(%r1, %places)   %o = gather(%o1, %places) {axis=1}
//
// so that the rows which live at a step are the first ones, whatever the order of the batch, and
// each loop has the order of its own lengths (an encoder's and a decoder's differ). For loops whose
// body treats rows one by one and holds a product. Nothing is moved for it where `pack` and
// `unpack` stand around the loop (they take the places along), where two loops have one order, and
// through row-wise ops between them.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph sort_rows(const Graph& graph, PassContext& context);

}  // namespace weft::ir
