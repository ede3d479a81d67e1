// ir/passes/padding/pack_attention.h -- attention of many heads works on packed sequences.
//
//   %q = transpose(unpack(%pq, %m) {by_sequence}) {perm=[0,2,1,3]}        (%k, %v likewise, of %n)
//   %o, %l = attention(%q, %k, %v; ; %mask) {lse}
//   %po = pack(transpose(%o) {perm=[0,2,1,3]}, %m) {by_sequence}
//   ... = attention_grad(..., %q, %k, %v, %o, %l; ; %mask) ...
//     =>
//   %po, %l = packed_attention(%pq, %pk, %pv, %m, %n) {lse}
//   ... = packed_attention_grad(..., %pq, %pk, %pv, %po, %l, %m, %n) ...
//
// where ended keys are hidden, by the mask of their lengths or, causal, from all but ended queries,
// and what ended queries look up is dropped. Other masks stay. After pack_tokens, which moves rows
// only between attention and the rest.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph pack_attention(const Graph& graph, PassContext& context);

}  // namespace weft::ir
