// ir/ops/attention.h -- score, mask, softmax and weighted sum in one op, and its adjoint.
//
//   %o[, %weights][, %lse] = attention(q, k, v; v_a?; mask?; bias?; step?; rows?; position?)
//       {score, scale, band, by_distance, weights, lse, keep, stream, inner_axes}
//     q: T[...,Tq,D] or T[...,D] (one query), k: T[...,S,D], v: T[...,S,E]
//       -> o: T[...,Tq,E] or T[...,E]
//     v_a: T[D] (additive)
//     mask: pred, bias: T, broadcastable to the scores [...,Tq,S] or [...,S]
//     by_distance: bias T[...,Tq+S-1] instead, of which the scores see `by_distance` (distance.h):
//       element j - t + Tq - 1 for query t and key j; dot only, of queries with an axis
//
//   e[t,j] = scale * q[t] . k[j] + bias              (dot; Luong et al. 2015, Vaswani et al. 2017)
//          = scale * v_a . tanh(q[t] + k[j]) + bias  (additive; Bahdanau et al. 2015)
//   a = softmax over j of e where mask, and t-behind <= j <= t+ahead (band = [behind, ahead])
//   o[t] = sum_j z[t,j] a[t,j] v[j], lse[t] = log sum_j exp e[t,j]
//
// A limit of -1 is none: [-1, 0] is causal, [w-1, 0] a sliding window of w keys, [w, w] local
// attention. A query whose mask is empty gives zeros (lse -inf) and zero gradients. Masked scores and values
// are never read into the result, so NaN behind a mask does not leak. Results `weights` [...,Tq,S]
// and `lse` [...,Tq] exist where their attributes are set; weights are those before dropout.
//
// With keep < 1 there is dropout on the weights (Srivastava et al. 2014; z = 1/keep or 0), drawn as
// `random` does from (stream, step, rows, position): rows s64[B] belong to the first of the leading
// axes, position is absent, a scalar or s32[Tq], and elements are counted along `inner_axes`, the
// other axes of the scores in some order (the queries' too unless each has its position).
//
//   %dq, %dk, ... = attention_grad(do, q, k, v, o, lse; v_a?; mask?; bias?; dweights?; step?;
//   rows?; position?; dlse?) {score, scale, band, by_distance, wanted, keep, stream, inner_axes}
//     dweights: of the result weights; dlse: of the result lse, dot only
//
// gives the adjoints named in `wanted` (of q, k, v, v_a, bias), in that order.
//
// q, k and v may be bf16, and o of the adjoint with them: all else is f32 then, and so is what is
// computed.
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_attention(const OpView& op);
Types infer_attention_grad(const OpView& op);
Graph expand_attention(const OpView& op);
Graph expand_attention_grad(const OpView& op);

// The keys [first, last) that query t may see by a band, of keys without beginning or end.
struct Visible {
  int64_t first, last;
  bool operator==(const Visible&) const = default;
};
inline constexpr int64_t kNoLimit = INT64_MAX / 2;

inline Visible visible(const Integers& band, int64_t t) {
  const bool begins = !band.empty() && band[0] >= 0, ends = !band.empty() && band[1] >= 0;
  return {begins ? t - band[0] : -kNoLimit, ends ? t + band[1] + 1 : kNoLimit};
}
// Does no query see a key behind its own position?
inline bool is_causal(const Integers& band) { return visible(band, 0).last <= 1; }

// --- what attention, its adjoint and their packed forms have in common, declared once

template <typename T, size_t N>
constexpr List<T, N> joined(std::initializer_list<List<T, N>> lists) {
  List<T, N> all;
  for (const List<T, N>& list : lists)
    for (const T& item : list) all.items[all.count++] = item;
  return all;
}
using OperandList = List<OperandDef, 16>;
using AttrList = List<AttrDef, 12>;

inline constexpr OperandList kAttended{"q", "k", "v"};
inline constexpr OperandList kAttentionResults{"do", "q", "k", "v", "o", "lse"};
inline constexpr OperandList kScoreOptional{{"mask", Arity::optional}, {"bias", Arity::optional}};
inline constexpr OperandList kDropoutOptional{
    {"step", Arity::optional}, {"rows", Arity::optional}, {"position", Arity::optional}};
inline constexpr AttrList kAttentionAttrs{
    {"scale", 1.0},         {"band", AttrKind::integers, kEmpty},
    {"by_distance", false}, {"keep", 1.0},
    {"stream", int64_t{0}}, {"inner_axes", AttrKind::integers, kEmpty}};

inline constexpr OpDef attention{
    .name = "attention",
    .operands = joined({kAttended, {{"v_a", Arity::optional}}, kScoreOptional, kDropoutOptional}),
    .attrs = joined({{{"score", "dot"}}, kAttentionAttrs, {{"weights", false}, {"lse", false}}}),
    .infer = infer_attention,
    .expand = expand_attention,
    .doc = "softmax over keys of masked scores (dot or additive), dropout, times values; fused."};

inline constexpr OpDef attention_grad{
    .name = "attention_grad",
    .operands = joined({kAttentionResults,
                        {{"v_a", Arity::optional}},
                        kScoreOptional,
                        {{"dweights", Arity::optional}},
                        kDropoutOptional,
                        {{"dlse", Arity::optional}}}),
    .attrs = joined({{{"score", "dot"}}, kAttentionAttrs, {{"wanted", AttrKind::texts}}}),
    .infer = infer_attention_grad,
    .expand = expand_attention_grad,
    .doc =
        "Adjoints of attention's operands named in `wanted`; scores and weights are recomputed "
        "from lse."};

inline constexpr const OpDef* kAttentionOps[] = {&attention, &attention_grad};

}  // namespace weft::ir::ops
