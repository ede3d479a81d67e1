// frontend/nn/attention.cpp -- attention in plain ops.
#include "frontend/nn/attention.h"

namespace weft {
namespace {

void check(const Tensor& s, const Tensor& h, std::string_view what, const SourceLoc& loc) {
  if (!s.valid() || !h.valid()) fail(loc, "'", what, "' is given a tensor that was never made");
  if ((s.rank() != 2 && s.rank() != 3) || h.rank() != 3)
    fail(loc, "'", what, "' needs s of [B,H] or [B,T,H] and h of [B,S,E], found ", s.type(),
         " and ", h.type());
}

// s_t . k_j      s: T[B,D] or T[B,T,D], k: T[B,S,D] -> T[B,S] or T[B,T,S]
Tensor dot_score(const Tensor& s, const Tensor& k, const SourceLoc& loc) {
  if (s.rank() == 3) return matmul(s, k, {.transpose_b = true}, loc);
  return sum(Operand(expand(s, 1, loc), loc) * Operand(k, loc), -1, false, loc);
}

// v . tanh(q_t + k_j)      q: T[B,A] or T[B,T,A], k: T[B,S,A] -> T[B,S] or T[B,T,S]
Tensor additive_score(const Tensor& q, const Tensor& k, const Tensor& v, const SourceLoc& loc) {
  const Tensor keys = q.rank() == 2 ? k : expand(k, 1, loc);
  const Tensor u = tanh(Operand(expand(q, -2, loc), loc) + Operand(keys, loc), loc);
  return sum(Operand(v, loc) * Operand(u, loc), -1, false, loc);
}

}  // namespace

Attended attend(const Tensor& scores, const Tensor& h, const Tensor& mask, SourceLoc loc) {
  const Tensor seen = mask.rank() < scores.rank() ? expand(mask, 1, loc) : mask;
  const Tensor a =
      softmax(where(Operand(seen, loc), Operand(scores, loc), Operand(-infinity, loc)), -1, loc);
  if (scores.rank() == 3) return {matmul(a, h, {}, loc), a};
  return {sum(Operand(expand(a, -1, loc), loc) * Operand(h, loc), 1, false, loc), a};
}

Tensor additive_keys(const Scope& p, const Tensor& h, const Dim& a, SourceLoc loc) {
  return linear(p / "U", h, a, no_bias, loc);
}

Attended additive_attention(const Scope& p, const Tensor& s, const Tensor& h, const Tensor& mask,
                            const Dim& a, const Tensor& keys, SourceLoc loc) {
  const auto in = p.enter();
  check(s, h, "additive_attention", loc);
  const Tensor q = linear(p / "W", s, a, no_bias, loc);
  const Tensor k = keys.valid() ? keys : additive_keys(p, h, a, loc);
  const Tensor v = p.parameter("v", {a}, init::glorot_uniform(), loc);
  return attend(additive_score(q, k, v, loc), h, mask, loc);
}

Attended dot_attention(const Tensor& s, const Tensor& h, const Tensor& mask, SourceLoc loc) {
  check(s, h, "dot_attention", loc);
  return attend(dot_score(s, h, loc), h, mask, loc);
}

Tensor general_keys(const Scope& p, const Tensor& h, const Dim& width, SourceLoc loc) {
  return linear(p / "W", h, width, no_bias, loc);
}

Attended general_attention(const Scope& p, const Tensor& s, const Tensor& h, const Tensor& mask,
                           const Tensor& keys, SourceLoc loc) {
  const auto in = p.enter();
  check(s, h, "general_attention", loc);
  const Tensor k = keys.valid() ? keys : general_keys(p, h, s.dim(-1), loc);
  return attend(dot_score(s, k, loc), h, mask, loc);
}

Attended concat_attention(const Scope& p, const Tensor& s, const Tensor& h, const Tensor& mask,
                          const Dim& a, const Tensor& keys, SourceLoc loc) {
  return additive_attention(p, s, h, mask, a, keys, loc);
}

}  // namespace weft
