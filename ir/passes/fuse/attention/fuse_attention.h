// ir/passes/fuse/attention/fuse_attention.h -- score, mask, softmax and weighted sum become one op.
//
//   e = matmul(q, k) {transpose_b}     dot; or sum(q * k, -1), or a matmul of one row or column
//     | sum(tanh(q + k) * v_a, -1)     additive; or matmul(tanh(q + k), v_a)
//   [e * scale] [+ bias] [select(mask, e, -inf)]
//   a = softmax(e)
//   o = matmul(a, v)                   or sum(a * v, -2)
//     =>
//   o[, a] = attention(q, k, v; v_a; mask; bias) {score, scale, band, weights}
//
// A mask that compares the positions of queries and keys (attention_band.h) becomes the band:
// kernels then skip what lies outside.
//
// With axes of size 1 wherever the user's broadcasting put them: q [B,1,D] against k [B,S,D] is one
// query, q [B,T,1,D] against k [B,1,S,D] all of them. One query is always spelled without its axis.
//
// Held back where raw scores, or anything between them and the weights, are read elsewhere: they
// would be computed twice. If the weights are, they become a second result.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph fuse_attention(const Graph& graph, PassContext& context);

}  // namespace weft::ir
