// ir/ops/packed_attention.h -- attention of many heads between packed sequences, and its adjoint.
//
//   %o[, %lse] = packed_attention(q, k, v, q_lengths, k_lengths; mask?; bias?; step?; rows?;
//       position?) {queries, keys, scale, band, by_distance, lse, keep, stream, inner_axes}
//     q: T[B*Tq,H,D], k: T[B*S,H,D], v: T[B*S,H,E], q_lengths, k_lengths: s32[B]  ->
//     o: T[B*Tq,H,E], lse: T[B*Tq,H], Tq = queries, S = keys
//
//   %dq, ... = packed_attention_grad(do, q, k, v, o, lse, q_lengths, k_lengths; mask?; bias?;
//       step?; rows?; position?) {queries, keys, scale, band, by_distance, wanted, keep, stream, inner_axes}
//
// What `attention` (dot score) and `attention_grad` give of the sequences unpacked, [B,H,...], with
// the results packed again: rows as `pack` by_sequence has them, zeros behind the real ones. A
// sequence's queries see its own keys only, those behind its length nobody; mask, bias and dropout
// mean positions within sequences, as there.
#pragma once
#include "ir/ops/attention.h"

namespace weft::ir::ops {

Types infer_packed_attention(const OpView& op);
Graph expand_packed_attention(const OpView& op);

inline constexpr OperandList kSequences{"q_lengths", "k_lengths"};
inline constexpr AttrList kSequenceSteps{{"queries", AttrKind::dim}, {"keys", AttrKind::dim}};

inline constexpr OpDef packed_attention{
    .name = "packed_attention",
    .operands = joined({kAttended, kSequences, kScoreOptional, kDropoutOptional}),
    .attrs = joined({kSequenceSteps, kAttentionAttrs, {{"lse", false}}}),
    .infer = infer_packed_attention,
    .expand = expand_packed_attention,
    .doc = "Dot-product attention of many heads between packed sequences; fused."};

inline constexpr OpDef packed_attention_grad{
    .name = "packed_attention_grad",
    .operands = joined({kAttentionResults, kSequences, kScoreOptional, kDropoutOptional}),
    .attrs = joined({kSequenceSteps, kAttentionAttrs, {{"wanted", AttrKind::texts}}}),
    .infer = infer_packed_attention,
    .expand = expand_packed_attention,
    .doc = "Adjoints of packed_attention's operands named in `wanted`."};

inline constexpr const OpDef* kPackedAttentionOps[] = {&packed_attention, &packed_attention_grad};

}  // namespace weft::ir::ops
