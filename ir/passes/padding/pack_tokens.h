// ir/passes/padding/pack_tokens.h -- work batched over time runs on the real tokens only.
//
//   %y = linear(%x, %w; %b) : f32[T,B,V]                          (sequences of lengths %n)
//   %l, %s = softmax_cross_entropy(%y, %t; %m)                    (%m: zero at ended rows)
//     =>
//   %px = pack(%x, %n)   %pt = pack(%t, %n)   %pm = pack(%m, %n)
//   %py = linear(%px, %w; %b) : f32[T*B,V]
//   %pl, %ps = softmax_cross_entropy(%py, %pt; %pm)
//   %l = unpack(%pl, %n)                                          (where it is read)
//
// For the lengths of every scan and every mask: chains of row-wise ops over [T,B,...] or [T*B,...]
// that hold a matrix product or a loss, and the sums over rows at their ends (weight gradients). A
// value may be packed where each other reader finds zeros in its ended rows, which is what `unpack`
// puts there, or ignores them: a scan with the same lengths; attention, from which ended queries
// get what nobody reads, and to which ended keys are hidden, by the mask of their lengths or,
// causal, from all but ended queries. A sum may where ended rows add nothing to it.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph pack_tokens(const Graph& graph, PassContext& context);

}  // namespace weft::ir
