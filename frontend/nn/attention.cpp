// frontend/nn/attention.cpp -- attention in plain ops.
#include "frontend/nn/attention.h"

namespace weft {
namespace {

void check(const Tensor& s, const Tensor& h, std::string_view what) {
  if (!s.valid() || !h.valid())
    fail(SourceLoc::here(), "'", what, "' is given a tensor that was never made");
  if ((s.rank() != 2 && s.rank() != 3) || h.rank() != 3)
    fail(SourceLoc::here(), "'", what, "' needs s of [B,H] or [B,T,H] and h of [B,S,E], found ",
         s.type(), " and ", h.type());
}

// s_t . k_j      s: T[B,D] or T[B,T,D], k: T[B,S,D] -> T[B,S] or T[B,T,S]
Tensor dot_score(const Tensor& s, const Tensor& k) {
  if (s.rank() == 3) return matmul(s, k, {.transpose_b = true});
  return sum(expand(s, 1) * k, -1);
}

// v . tanh(q_t + k_j)      q: T[B,A] or T[B,T,A], k: T[B,S,A] -> T[B,S] or T[B,T,S]
Tensor additive_score(const Tensor& q, const Tensor& k, const Tensor& v) {
  const Tensor keys = q.rank() == 2 ? k : expand(k, 1);
  const Tensor u = tanh(expand(q, -2) + keys);
  return sum(v * u, -1);
}

}  // namespace

Attended attend(const Tensor& scores, const Tensor& h, const Tensor& mask, SourceLoc loc) {
  const CalledFrom from(loc);
  const Tensor seen = mask.rank() < scores.rank() ? expand(mask, 1) : mask;
  const Tensor a = softmax(where(seen, scores, -infinity));
  if (scores.rank() == 3) return {matmul(a, h), a};
  return {sum(expand(a, -1) * h, 1), a};
}

Tensor additive_keys(const Scope& p, const Tensor& h, const Dim& a, SourceLoc loc) {
  const CalledFrom from(loc);
  return linear(p / "U", h, a, no_bias);
}

Attended additive_attention(const Scope& p, const Tensor& s, const Tensor& h, const Tensor& mask,
                            const Dim& a, const Tensor& keys, SourceLoc loc) {
  const auto in = p.enter(loc);
  check(s, h, "additive_attention");
  const Tensor q = linear(p / "W", s, a, no_bias);
  const Tensor k = keys.valid() ? keys : additive_keys(p, h, a);
  const Tensor v = p.parameter("v", {a});
  return attend(additive_score(q, k, v), h, mask);
}

Attended dot_attention(const Tensor& s, const Tensor& h, const Tensor& mask, SourceLoc loc) {
  const CalledFrom from(loc);
  check(s, h, "dot_attention");
  return attend(dot_score(s, h), h, mask);
}

Tensor general_keys(const Scope& p, const Tensor& h, const Dim& width, SourceLoc loc) {
  const CalledFrom from(loc);
  return linear(p / "W", h, width, no_bias);
}

Attended general_attention(const Scope& p, const Tensor& s, const Tensor& h, const Tensor& mask,
                           const Tensor& keys, SourceLoc loc) {
  const auto in = p.enter(loc);
  check(s, h, "general_attention");
  const Tensor k = keys.valid() ? keys : general_keys(p, h, s.dim(-1));
  return attend(dot_score(s, k), h, mask);
}

Attended concat_attention(const Scope& p, const Tensor& s, const Tensor& h, const Tensor& mask,
                          const Dim& a, const Tensor& keys, SourceLoc loc) {
  const CalledFrom from(loc);
  return additive_attention(p, s, h, mask, a, keys);
}

}  // namespace weft
