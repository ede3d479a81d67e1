// tests/cli/graphs.h -- graphs as a user might write them.
#pragma once

namespace weft::tests {

// Dot-product attention of one query a row over keys that end at lengths.
inline constexpr const char* kAttention =
    R"(graph @attention(input %q: f32[B,D], input %k: f32[B,S,D], input %n: s32[B], parameter %W: f32[D,D] {path="att/W"}) -> (o: f32[B,D], loss: f32[]) {
  %p = matmul(%q, %W)
  %p1 = reshape(%p) {shape=[B,1,D]}
  %e = matmul(%p1, %k) {transpose_b=true}
  %m = length_mask(%n) {size=S}
  %m1 = reshape(%m) {shape=[B,1,S]}
  %em = select(%m1, %e, -inf)
  %a = softmax(%em)
  %c = matmul(%a, %k)
  %o = reshape(%c) {shape=[B,D]}
  %s = mul(%o, %o)
  %loss = sum(%s) {axes=[0,1]}
  return %o, %loss
}
)";

// s_t = tanh(x_t W + s_{t-1} U), rows ending at lengths.
inline constexpr const char* kLoop =
    R"(graph @rnn(input %x: f32[T,B,M], input %s0: f32[B,H], input %n: s32[B], input %W: f32[M,H], input %U: f32[H,H]) -> (s: f32[B,H], y: f32[T,B,H]) {
  %s, %y = scan(%s0; %x; %W, %U; %n) {axes=[0], out_axes=[0]}
  (%c, %xt, %w, %u, %live) {
    %a = matmul(%xt, %w)
    %b = matmul(%c, %u)
    %g = add(%a, %b)
    %h = tanh(%g)
    yield %h; %h
  }
  return %s, %y
}
)";

}  // namespace weft::tests
