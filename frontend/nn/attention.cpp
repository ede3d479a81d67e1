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

}  // namespace

Tensor additive_scores(const Tensor& q, const Tensor& k, const Tensor& v, SourceLoc loc) {
  const CalledFrom from(loc);
  const Tensor keys = q.rank() == 2 ? k : expand(k, 1);
  const Tensor u = tanh(expand(q, -2) + keys);
  return sum(v * u, -1);
}

Attended attend(const Tensor& scores, const Tensor& h, const Tensor& mask, SourceLoc loc) {
  const CalledFrom from(loc);
  const Tensor seen = mask.rank() < scores.rank() ? expand(mask, 1) : mask;
  const Tensor a = softmax(where(seen, scores, -infinity));
  if (scores.rank() == 3) return {matmul(a, h), a};
  return {sum(expand(a, -1) * h, 1), a};
}

Near near_predicted_place(const Scope& p, const Tensor& s, const Tensor& mask, int64_t half,
                          SourceLoc loc) {
  const auto in = p.enter(loc);
  if (half < 1) fail(loc, "local attention needs keys on either side, found ", half);
  const Tensor v = p.parameter("v", {s.dim(-1)});
  const Tensor share = sigmoid(sum(v * tanh(linear(p / "W", s, s.dim(-1), no_bias)), -1));
  const Tensor keys = sum(cast(mask, f32), -1);  // [B]
  return {(s.rank() == 3 ? expand(keys, 1) : keys) * share, half};
}

// With g_j = exp(-x_j) and a' = softmax(e - x), which is one op with the keys' window as its mask:
// softmax(e)_j g_j = a'_j / sum_i (a'_i / g_i), so values are not multiplied one by one.
Attended attend(const Tensor& scores, const Tensor& h, const Tensor& mask, const Near& near,
                SourceLoc loc) {
  const CalledFrom from(loc);
  if (!near.on()) return attend(scores, h, mask);
  const Tensor away = cast(iota(scores, scores.dim(-1)), f32) - expand(near.place, -1);
  const auto half = static_cast<double>(near.half);
  const Tensor x = away * away * (2 / (half * half));
  const Tensor within = abs(away) <= half;
  const Tensor seen = within && (mask.rank() < scores.rank() ? expand(mask, 1) : mask);
  const Attended a = attend(scores + x * -1.0, h, seen);
  // The sum is 1 or more; of a row that sees nothing it is 0.
  const Tensor share = 1 / maximum(sum(a.weights * exp(where(within, x, 0)), -1, true), 0.5);
  return {a.context * share, a.weights * share};
}

Tensor additive_keys(const Scope& p, const Tensor& h, const Dim& a, SourceLoc loc) {
  const CalledFrom from(loc);
  return linear(p / "U", h, a, no_bias);
}

Attended additive_attention(const Scope& p, const Tensor& s, const Tensor& h, const Tensor& mask,
                            const Dim& a, const Tensor& keys, const Near& near, SourceLoc loc) {
  const auto in = p.enter(loc);
  check(s, h, "additive_attention");
  const Tensor q = linear(p / "W", s, a, no_bias);
  const Tensor k = keys.valid() ? keys : additive_keys(p, h, a);
  const Tensor v = p.parameter("v", {a});
  return attend(additive_scores(q, k, v), h, mask, near);
}

Attended dot_attention(const Tensor& s, const Tensor& h, const Tensor& mask, const Near& near,
                       SourceLoc loc) {
  const CalledFrom from(loc);
  check(s, h, "dot_attention");
  return attend(dot_score(s, h), h, mask, near);
}

Tensor general_keys(const Scope& p, const Tensor& h, const Dim& width, SourceLoc loc) {
  const CalledFrom from(loc);
  return linear(p / "W", h, width, no_bias);
}

Attended general_attention(const Scope& p, const Tensor& s, const Tensor& h, const Tensor& mask,
                           const Tensor& keys, const Near& near, SourceLoc loc) {
  const auto in = p.enter(loc);
  check(s, h, "general_attention");
  const Tensor k = keys.valid() ? keys : general_keys(p, h, s.dim(-1));
  return attend(dot_score(s, k), h, mask, near);
}

Attended concat_attention(const Scope& p, const Tensor& s, const Tensor& h, const Tensor& mask,
                          const Dim& a, const Tensor& keys, const Near& near, SourceLoc loc) {
  const CalledFrom from(loc);
  return additive_attention(p, s, h, mask, a, keys, near);
}

}  // namespace weft
