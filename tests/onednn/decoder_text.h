// tests/onednn/decoder_text.h -- Bahdanau's decoder step by step, with the loss over its
// vocabulary.
#pragma once

namespace weft::tests {

inline constexpr const char* kDecoder = R"(
graph @decoder(input %s0: f32[B,H], input %y: f32[T,B,M], input %h: f32[B,S,E], input %sl_upto_4: s32[B], input %tl_upto_5: s32[B],
    input %labels_below_11: s32[T,B], parameter %Wa: f32[H,A] {path="Wa"}, parameter %Ua: f32[E,A] {path="Ua"}, parameter %va: f32[A] {path="va"},
    parameter %Wx: f32[M,3*H] {path="Wx"}, parameter %Wc: f32[E,3*H] {path="Wc"}, parameter %U: f32[H,2*H] {path="U"},
    parameter %Un: f32[H,H] {path="Un"}, parameter %Wo: f32[H,V] {path="Wo"}) -> (loss: f32[]) {
  %m = length_mask(%sl_upto_4) {size=S}
  %sN, %o = scan(%s0; %y; %h, %m, %Wa, %Ua, %va, %Wx, %Wc, %U, %Un, %Wo; %tl_upto_5) {axes=[0], out_axes=[0]}
  (%s, %x, %h, %m, %Wa, %Ua, %va, %Wx, %Wc, %U, %Un, %Wo, %live) {
    %q = matmul(%s, %Wa)
    %k = matmul(%h, %Ua)
    %q1 = reshape(%q) {shape=[B,1,A]}
    %u = add(%q1, %k)
    %p = tanh(%u)
    %pv = mul(%p, %va)
    %e = sum(%pv) {axes=[-1]}
    %em = select(%m, %e, -inf)
    %a = softmax(%em)
    %a1 = reshape(%a) {shape=[B,S,1]}
    %ah = mul(%a1, %h)
    %c = sum(%ah) {axes=[-2]}
    %gx = matmul(%x, %Wx)
    %gc = matmul(%c, %Wc)
    %g = add(%gx, %gc)
    %g1 = slice(%g) {axis=-1, stop=2*H}
    %g2 = slice(%g) {axis=-1, start=2*H, stop=3*H}
    %su = matmul(%s, %U)
    %zp = add(%g1, %su)
    %zr = sigmoid(%zp)
    %z = slice(%zr) {axis=-1, stop=H}
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
  %tm = length_mask(%tl_upto_5) {size=T}
  %tt = transpose(%tm) {perm=[1,0]}
  %w = cast(%tt) {dtype=f32}
  %lp = log_softmax(%o)
  %pick = gather(%lp, %labels_below_11) {axis=2, batch=2}
  %nll = neg(%pick)
  %nw = mul(%nll, %w)
  %loss = sum(%nw) {axes=[0,1]}
  return %loss
})";

}  // namespace weft::tests
