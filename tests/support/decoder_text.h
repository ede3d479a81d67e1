// tests/support/decoder_text.h -- the worked example of the manual (docs/ir.md, section 5).
#pragma once

namespace weft::tests {

// Bahdanau's decoder, one step at a time.
inline constexpr const char* kDecoder = R"(
graph @decoder(input %s0: f32[B,H], input %y: f32[T,B,M], input %h: f32[B,S,E], input %sl: s32[B], input %tl: s32[B],
    parameter %Wa: f32[H,A], parameter %Ua: f32[E,A], parameter %va: f32[A], parameter %Wx: f32[M,3*H],
    parameter %Wc: f32[E,3*H], parameter %U: f32[H,2*H], parameter %Un: f32[H,H], parameter %Wo: f32[H,V]) -> (o: f32[T,B,V]) {
  %m = length_mask(%sl) {size=S}
  %sN, %o = scan(%s0; %y; %h, %m, %Wa, %Ua, %va, %Wx, %Wc, %U, %Un, %Wo; %tl) {axes=[0], out_axes=[0]}
  (%s, %x, %h, %m, %Wa, %Ua, %va, %Wx, %Wc, %U, %Un, %Wo, %live) {
    %q = matmul(%s, %Wa)
    %k = matmul(%h, %Ua)
    %q1 = reshape(%q) {shape=[B,1,A]}
    %u = add(%q1, %k)
    %p = tanh(%u)
    %pv = mul(%p, %va)
    %e = sum(%pv) {axes=[-1]}
    %em = select(%m, %e, -inf)     // decoder/attention
    %a = softmax(%em) {axis=-1}
    %a1 = reshape(%a) {shape=[B,S,1]}
    %ah = mul(%a1, %h)
    %c = sum(%ah) {axes=[-2]}
    %gx = matmul(%x, %Wx)
    %gc = matmul(%c, %Wc)
    %g = add(%gx, %gc)
    %g1 = slice(%g) {axis=-1, start=0, stop=2*H}
    %g2 = slice(%g) {axis=-1, start=2*H, stop=3*H}
    %su = matmul(%s, %U)
    %zp = add(%g1, %su)
    %zr = sigmoid(%zp)
    %z = slice(%zr) {axis=-1, start=0, stop=H}
    %r = slice(%zr) {axis=-1, start=H, stop=2*H}
    %rs = mul(%r, %s)
    %rn = matmul(%rs, %Un)
    %np = add(%g2, %rn)
    %n = tanh(%np)
    %d = sub(%n, %s)
    %zd = mul(%z, %d)
    %s1 = add(%s, %zd)
    %ot = matmul(%s1, %Wo)
    yield %s1; %ot
  }
  return %o
})";

}  // namespace weft::tests
