// ir/passes/padding/order_packed.h -- packed rows are stored in the order in which loops read
// them: the longest sequence first.
//
//   %order, %places = length_order(%n)   %m = gather(%n, %order)
//   %p = pack(%x, %n)                 =>  %p = pack(%x, %m; %order)
//   %q = pack(%o, %n; %places)        =>  %q = pack(%o, %m)
//   %y = unpack(%p, %n; %places)      =>  %y = unpack(%p, %m)
//   %z = unpack(%p, %n; %others)      =>  %z = unpack(%p, %m; gather(%others, %order))
//
// where a loop has put its rows in the order of %n (`sort_rows`). A step's rows are then a run of
// packed ones, and a backend reads them where they lie. Held back where something between `pack`
// and `unpack` tells rows apart by their number, or packed rows come from or leave the graph.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph order_packed(const Graph& graph, PassContext& context);

}  // namespace weft::ir
