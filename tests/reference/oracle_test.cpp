// tests/reference/oracle_test.cpp -- the reference against values that PyTorch computed in double.
//
// Each case is a graph whose arguments are named after the file's `in/` and `param/` arrays and
// whose results are named after its `out/` arrays.
#include "frontend/formats/npz.h"
#include "tests/reference/evaluate.h"

#include <cstdlib>
#include <filesystem>

using namespace weft;
using namespace weft::test;

namespace {

struct Case {
  std::string file, graph;
};

// Ten steps of Adam as a loop over the gradients given.
std::string adam(const std::string& attributes) {
  return "graph(%w0: f32[3,4], %b0: f32[5], %g_w: f32[10,3,4], %g_b: f32[10,5], %lr: f32[10]) {"
         " %zw = mul(%w0, 0) %zb = mul(%b0, 0) %t0 = constant() {dtype=s64, values=[0]}"
         " %wN, %bN, %mwN, %mbN, %vwN, %vbN, %tN, %w, %b = scan(%w0, %b0, %zw, %zb, %zw, %zb, %t0; "
         "%g_w, %g_b, %lr;)"
         " {axes=[0,0,0], out_axes=[0,0]} (%w, %b, %mw, %mb, %vw, %vb, %t, %gw, %gb, %rate) {"
         "   %step = add(%t, 1) %w1, %b1, %mw1, %mb1, %vw1, %vb1 ="
         "   adam_update(%w, %b; %gw, %gb; %mw, %mb; %vw, %vb; %step, %rate)" +
         attributes +
         "   yield %w1, %b1, %mw1, %mb1, %vw1, %vb1, %step; %w1, %b1 }"
         " return %w, %b }";
}

// Left out: op_topk and op_sort, for which there is no op.
const Case kCases[] = {
    {"op_matmul_bcast",
     "graph(%a: f32[2,1,3,4], %b: f32[5,4,2]) { %y = matmul(%a, %b) return %y }"},
    {"op_matmul_vec",
     "graph(%a: f32[3,4], %b: f32[4]) { %c = reshape(%b) {shape=[4,1]} %d = matmul(%a, %c)"
     " %y = reshape(%d) {shape=[3]} return %y }"},
    {"op_add_bcast", "graph(%a: f32[2,1,3], %b: f32[4,1]) { %y = add(%a, %b) return %y }"},
    {"op_sub_bcast", "graph(%a: f32[3], %b: f32[2,3]) { %y = sub(%a, %b) return %y }"},
    {"op_mul_bcast", "graph(%a: f32[2,3,1], %b: f32[1,4]) { %y = mul(%a, %b) return %y }"},
    {"op_div_bcast",
     "graph(%a: f32[2,3], %b: f32[3]) { %q = mul(%b, %b) %p = add(%q, 1) %y = div(%a, %p) return "
     "%y }"},
    {"op_pow3", "graph(%a: f32[4,3]) { %y = pow(%a, 3) return %y }"},
    {"op_pow_tensor",
     "graph(%a: f32[3,2], %b: f32[2]) { %q = mul(%a, %a) %p = add(%q, 0.5) %y = pow(%p, %b) return "
     "%y }"},
    {"op_sqrt", "graph(%a: f32[N]) { %q = mul(%a, %a) %p = add(%q, 0.1) %y = sqrt(%p) return %y }"},
    {"op_exp", "graph(%a: f32[N]) { %y = exp(%a) return %y }"},
    {"op_log", "graph(%a: f32[N]) { %q = mul(%a, %a) %p = add(%q, 0.1) %y = log(%p) return %y }"},
    {"op_rsqrt",
     "graph(%a: f32[N]) { %q = mul(%a, %a) %p = add(%q, 0.1) %y = rsqrt(%p) return %y }"},
    {"op_abs", "graph(%a: f32[N]) { %y = abs(%a) return %y }"},
    {"op_clamp", "graph(%a: f32[N]) { %l = maximum(%a, -0.5) %y = minimum(%l, 0.7) return %y }"},
    {"op_maximum", "graph(%a: f32[3,4], %b: f32[4]) { %y = maximum(%a, %b) return %y }"},
    {"op_minimum", "graph(%a: f32[3,4], %b: f32[3,1]) { %y = minimum(%a, %b) return %y }"},
    {"op_sum_axis", "graph(%a: f32[2,3,4]) { %y = sum(%a) {axes=[0,2]} return %y }"},
    {"op_mean_keep", "graph(%a: f32[2,3,4]) { %y = mean(%a) {axes=[1], keep=true} return %y }"},
    {"op_max_axis", "graph(%a: f32[3,5]) { %y = max(%a) {axes=[1]} return %y }"},
    {"op_amax_ties", "graph(%a: f32[3,5]) { %y = max(%a) {axes=[1]} return %y }"},
    {"op_var_unb",
     "graph(%a: f32[3,5]) { %m = mean(%a) {axes=[1], keep=true} %d = sub(%a, %m) %q = mul(%d, %d)"
     " %s = sum(%q) {axes=[1]} %y = div(%s, 4) return %y }"},
    {"op_std_biased",
     "graph(%a: f32[3,5]) { %m = mean(%a) {axes=[1], keep=true} %d = sub(%a, %m) %q = mul(%d, %d)"
     " %s = mean(%q) {axes=[1]} %y = sqrt(%s) return %y }"},
    {"op_prod", "graph(%a: f32[3,4]) { %y = prod(%a) {axes=[1]} return %y }"},
    {"op_norm2",
     "graph(%a: f32[3,4]) { %q = mul(%a, %a) %s = sum(%q) {axes=[1]} %y = sqrt(%s) return %y }"},
    {"op_logsumexp",
     "graph(%a: f32[3,4]) { %m = max(%a) {axes=[1], keep=true} %d = sub(%a, %m) %e = exp(%d)"
     " %s = sum(%e) {axes=[1], keep=true} %l = log(%s) %z = add(%l, %m) %y = reshape(%z) "
     "{shape=[3]} return %y }"},
    {"op_cumsum", "graph(%a: f32[2,5]) { %y = cumsum(%a) return %y }"},
    {"op_cumsum_rev_excl",
     "graph(%a: f32[2,5]) { %y = cumsum(%a) {reverse=true, exclusive=true} return %y }"},
    {"op_transpose", "graph(%a: f32[2,3,4]) { %y = transpose(%a) {perm=[2,0,1]} return %y }"},
    {"op_reshape", "graph(%a: f32[2,3,4]) { %y = reshape(%a) {shape=[6,4]} return %y }"},
    {"op_expand", "graph(%a: f32[2,3]) { %y = broadcast(%a) {shape=[4,2,3]} return %y }"},
    {"op_slice_step",
     "graph(%a: f32[3,6]) { %y = slice(%a) {axis=1, start=1, stop=6, step=2} return %y }"},
    {"op_slice_neg",
     "graph(%a: f32[3,6]) { %s = slice(%a) {axis=1, start=4, stop=6} %y = reverse(%s) {axis=1} "
     "return %y }"},
    {"op_concat", "graph(%a: f32[2,3], %b: f32[2,2]) { %y = concat(%a, %b) {axis=1} return %y }"},
    {"op_split_mul",
     "graph(%a: f32[3,4]) { %l = slice(%a) {axis=1, start=0, stop=2} %r = slice(%a) {axis=1, "
     "start=2, stop=4}"
     " %y = mul(%l, %r) return %y }"},
    {"op_stack",
     "graph(%a: f32[2,3], %b: f32[2,3]) { %c = reshape(%a) {shape=[2,1,3]} %d = reshape(%b) "
     "{shape=[2,1,3]}"
     " %y = concat(%c, %d) {axis=1} return %y }"},
    {"op_tile",
     "graph(%a: f32[2,2]) { %r = concat(%a, %a, %a) {axis=1} %y = concat(%r, %r) {axis=0} return "
     "%y }"},
    {"op_pad", "graph(%a: f32[2,3]) { %y = pad(%a) {axis=1, low=1, high=2} return %y }"},
    {"op_where",
     "graph(%a: f32[3,4], %b: f32[3,4]) { %p = greater(%a, 0) %c = mul(%b, 2) %y = select(%p, %a, "
     "%c) return %y }"},
    {"op_tril",
     "graph(%a: f32[4,4]) { %i = iota() {shape=[4,4], axis=0, dtype=s32} %j = iota() {shape=[4,4], "
     "axis=1, dtype=s32}"
     " %p = less(%j, %i) %y = select(%p, %a, 0) return %y }"},
    {"op_gather",
     "graph(%a: f32[2,4]) { %i = constant() {dtype=s64, shape=[2,3], values=[0,0,2,3,1,1]}"
     " %y = gather(%a, %i) {axis=1, batch=1} return %y }"},
    {"op_index_select",
     "graph(%a: f32[3,4]) { %i = constant() {dtype=s64, shape=[4], values=[2,0,2,2]}"
     " %y = gather(%a, %i) {axis=0} return %y }"},
    {"op_scatter_add",
     "graph(%a: f32[2,4], %b: f32[2,3]) { %i = constant() {dtype=s64, shape=[2,3], "
     "values=[0,0,2,3,1,1]}"
     " %y = scatter_add(%a, %i, %b) {axis=1, batch=1} return %y }"},
    {"op_einsum_bhqk",
     "graph(%a: f32[2,2,3,4], %b: f32[2,2,5,4]) { %y = matmul(%a, %b) {transpose_b=true} return %y "
     "}"},
    {"op_einsum_outer",
     "graph(%a: f32[2,3], %b: f32[2,4]) { %c = reshape(%a) {shape=[2,3,1]} %d = reshape(%b) "
     "{shape=[2,1,4]}"
     " %y = matmul(%c, %d) return %y }"},
    {"op_maxout",
     "graph(%a: f32[2,6]) { %b = reshape(%a) {shape=[2,3,2]} %y = max(%b) {axes=[-1]} return %y }"},
    {"op_glu",
     "graph(%a: f32[2,6]) { %l = slice(%a) {axis=1, stop=3} %r = slice(%a) {axis=1, start=3, "
     "stop=6}"
     " %s = sigmoid(%r) %y = mul(%l, %s) return %y }"},
    {"op_geglu",
     "graph(%a: f32[2,6]) { %l = slice(%a) {axis=1, stop=3} %r = slice(%a) {axis=1, start=3, "
     "stop=6}"
     " %s = gelu(%l) %y = mul(%s, %r) return %y }"},
    {"op_swiglu",
     "graph(%a: f32[2,6]) { %l = slice(%a) {axis=1, stop=3} %r = slice(%a) {axis=1, start=3, "
     "stop=6}"
     " %s = silu(%l) %y = mul(%s, %r) return %y }"},
    {"op_conv1d_whisper",
     "graph(%a: f32[2,3,8], %b: f32[4,3,3]) { %p = pad(%a) {axis=2, low=1, high=1}"
     " %x0 = slice(%p) {axis=2, start=0, stop=7, step=2} %x1 = slice(%p) {axis=2, start=1, stop=8, "
     "step=2}"
     " %x2 = slice(%p) {axis=2, start=2, stop=9, step=2} %x = concat(%x0, %x1, %x2) {axis=1}"
     " %t = transpose(%b) {perm=[0,2,1]} %w = reshape(%t) {shape=[4,9]} %y = matmul(%w, %x) return "
     "%y }"},
    {"op_cosine_sim",
     "graph(%a: f32[3,4], %b: f32[3,4]) { %ab = mul(%a, %b) %s = sum(%ab) {axes=[1]} %aa = mul(%a, "
     "%a) %n = sum(%aa) {axes=[1]}"
     " %bb = mul(%b, %b) %m = sum(%bb) {axes=[1]} %nm = mul(%n, %m) %r = rsqrt(%nm) %y = mul(%s, "
     "%r) return %y }"},
    {"op_dropout_given_mask",
     "graph(%x: f32[4,6], %keep: pred[4,6]) { %k = cast(%keep) {dtype=f32} %z = mul(%x, %k)"
     " %y = div(%z, 0.7) return %y }"},

    {"act_elu",
     "graph(%x: f32[N]) { %p = greater(%x, 0) %e = expm1(%x) %y = select(%p, %x, %e) return %y }"},
    {"act_erf", "graph(%x: f32[N]) { %y = erf(%x) return %y }"},
    {"act_gelu_erf", "graph(%x: f32[N]) { %y = gelu(%x) return %y }"},
    {"act_gelu_tanh", "graph(%x: f32[N]) { %y = gelu_tanh(%x) return %y }"},
    {"act_leaky_relu",
     "graph(%x: f32[N]) { %p = greater(%x, 0) %e = mul(%x, 0.01) %y = select(%p, %x, %e) return %y "
     "}"},
    {"act_logsigmoid",
     "graph(%x: f32[N]) { %n = neg(%x) %s = softplus(%n) %y = neg(%s) return %y }"},
    {"act_quick_gelu",
     "graph(%x: f32[N]) { %s = mul(%x, 1.702) %g = sigmoid(%s) %y = mul(%x, %g) return %y }"},
    {"act_relu", "graph(%x: f32[N]) { %y = relu(%x) return %y }"},
    {"act_sigmoid", "graph(%x: f32[N]) { %y = sigmoid(%x) return %y }"},
    {"act_silu", "graph(%x: f32[N]) { %y = silu(%x) return %y }"},
    {"act_softplus", "graph(%x: f32[N]) { %y = softplus(%x) return %y }"},
    {"act_tanh", "graph(%x: f32[N]) { %y = tanh(%x) return %y }"},

    {"softmax_masked",
     "graph(%x: f32[4,6], %keep: pred[4,6]) { %m = select(%keep, %x, -inf) "
     "%softmax_neginf_fullrow_zero = softmax(%m)"
     " %f = select(%keep, %x, -3.4028234663852886e38) %softmax_finfomin = softmax(%f)"
     " return %softmax_neginf_fullrow_zero, %softmax_finfomin }"},
    {"softmax_extreme",
     "graph(%x: f32[4,7], %y: s64[4]) { %softmax = softmax(%x) %log_softmax = log_softmax(%x)"
     " %p = gather(%log_softmax, %y) {axis=1, batch=1} %s = sum(%p) {axes=[0]} %loss = neg(%s)"
     " %zeros, %logsumexp = softmax_cross_entropy(%x, %y) return %softmax, %log_softmax, %loss, "
     "%logsumexp }"},
    {"cross_entropy_label_smoothing",
     "graph(%logits: f32[6,7], %y: s64[6], %class_w: f32[7]) { %real = greater_equal(%y, 0) %w = "
     "cast(%real) {dtype=f32}"
     " %ce_none, %lse = softmax_cross_entropy(%logits, %y; %w) %n = sum(%w) {axes=[0]}"
     " %ce_sum = sum(%ce_none) {axes=[0]} %ce_mean = div(%ce_sum, %n)"
     " %ls0.1_torch_none, %lse1 = softmax_cross_entropy(%logits, %y; %w) {smoothing=0.1}"
     " %ls0.1_torch_sum = sum(%ls0.1_torch_none) {axes=[0]} %ls0.1_torch_mean = "
     "div(%ls0.1_torch_sum, %n)"
     " %h = one_hot(%y) {size=7} %hw = mul(%h, %class_w) %cw = sum(%hw) {axes=[1]}"
     " %c, %lse2 = softmax_cross_entropy(%logits, %y; %cw) %cs = sum(%c) {axes=[0]} %cn = sum(%cw) "
     "{axes=[0]}"
     " %ce_weighted_mean = div(%cs, %cn)"
     " %one = constant() {values=[1]} %d = div(%one, %n) %dn = broadcast(%d) {shape=[6]}"
     " %dlogits_ce_mean = softmax_cross_entropy_grad(%dn, %logits, %y, %lse; %w)"
     " %dlogits_ls0.1_torch_mean = softmax_cross_entropy_grad(%dn, %logits, %y, %lse; %w) "
     "{smoothing=0.1}"
     " return %ce_none, %ce_sum, %ce_mean, %ls0.1_torch_none, %ls0.1_torch_sum, %ls0.1_torch_mean, "
     "%ce_weighted_mean,"
     " %dlogits_ce_mean, %dlogits_ls0.1_torch_mean }"},

    {"embedding_repeat",
     "graph(%table: f32[8,6], %idx: s64[4,5]) { %y = gather(%table, %idx) {axis=0} return %y }"},
    {"embedding_padidx_scaled",
     "graph(%table: f32[8,6], %idx: s64[4,5]) { %e = gather(%table, %idx) {axis=0}"
     " %y = mul(%e, 2.449489742783178) return %y }"},
    {"layer_norm",
     "graph(%x: f32[4,3,6], %gamma: f32[6], %beta: f32[6]) { %m = mean(%x) {axes=[-1], keep=true} "
     "%d = sub(%x, %m) %q = mul(%d, %d)"
     " %v = mean(%q) {axes=[-1], keep=true} %e = add(%v, 1e-5) %r = rsqrt(%e) %n = mul(%d, %r) %g "
     "= mul(%n, %gamma)"
     " %y = add(%g, %beta) return %y }"},
    {"rms_norm_t5",
     "graph(%x: f32[4,3,6], %gamma: f32[6]) { %q = mul(%x, %x) %v = mean(%q) {axes=[-1], keep=true}"
     " %e = add(%v, 1e-6) %r = rsqrt(%e) %n = mul(%x, %r) %y = mul(%n, %gamma) return %y }"},

    {"sdpa_plain",
     "graph(%q: f32[2,3,5,4], %k: f32[2,3,5,4], %v: f32[2,3,5,4]) {"
     " %y, %probs = attention(%q, %k, %v) {scale=0.5, weights=true} return %y, %probs }"},
    {"sdpa_causal",
     "graph(%q: f32[2,3,5,4], %k: f32[2,3,5,4], %v: f32[2,3,5,4], %keep: pred[2,1,5,5]) {"
     " %y, %probs = attention(%q, %k, %v; ; %keep) {scale=0.5, weights=true} return %y, %probs }"},
    {"sdpa_keypad",
     "graph(%q: f32[2,3,5,4], %k: f32[2,3,5,4], %v: f32[2,3,5,4], %keep: pred[2,1,5,5]) {"
     " %y, %probs = attention(%q, %k, %v; ; %keep) {scale=0.5, weights=true} return %y, %probs }"},
    {"sdpa_causal_keypad",
     "graph(%q: f32[2,3,5,4], %k: f32[2,3,5,4], %v: f32[2,3,5,4], %keep: pred[2,1,5,5]) {"
     " %y, %probs = attention(%q, %k, %v; ; %keep) {scale=0.5, weights=true} return %y, %probs }"},
    {"sdpa_cross_keypad",
     "graph(%q: f32[2,3,3,4], %k: f32[2,3,5,4], %v: f32[2,3,5,4], %keep: pred[2,1,3,5]) {"
     " %y, %probs = attention(%q, %k, %v; ; %keep) {scale=0.5, weights=true} return %y, %probs }"},
    {"sdpa_bias_relpos",
     "graph(%q: f32[2,3,5,4], %k: f32[2,3,5,4], %v: f32[2,3,5,4], %keep: pred[2,1,5,5], %bias: "
     "f32[1,3,5,5]) {"
     " %y, %probs = attention(%q, %k, %v; ; %keep; %bias) {scale=0.5, weights=true} return %y, "
     "%probs }"},
    {"sdpa_decode_step_offset",
     "graph(%q: f32[2,3,2,4], %k: f32[2,3,5,4], %v: f32[2,3,5,4], %keep: pred[2,1,2,5]) {"
     " %y, %probs = attention(%q, %k, %v; ; %keep) {scale=0.5, weights=true} return %y, %probs }"},

    {"bahdanau_attention",
     "graph(%s: f32[3,5], %h: f32[3,6,4], %keep: pred[3,6], %Wa: f32[7,5], %Ua: f32[7,4], %va: "
     "f32[7]) {"
     " %q = matmul(%s, %Wa) {transpose_b=true} %k = matmul(%h, %Ua) {transpose_b=true}"
     " %context, %alpha = attention(%q, %k, %h; %va; %keep) {score=\"additive\", weights=true} "
     "return %context, %alpha }"},
    {"gru_uni_L1",
     "graph(%x: f32[3,6,5], %lengths: s64[3], %weight_ih_l0: f32[12,5], %weight_hh_l0: f32[12,4],"
     " %bias_ih_l0: f32[12], %bias_hh_l0: f32[12]) {"
     " %l = cast(%lengths) {dtype=s32} %p = linear(%x, %weight_ih_l0; %bias_ih_l0) "
     "{transpose_b=true}"
     " %b2 = slice(%bias_hh_l0) {axis=0, stop=8} %bp = pad(%b2) {axis=0, high=4} %g = add(%p, %bp)"
     " %bn = slice(%bias_hh_l0) {axis=0, start=8, stop=12} %wt = transpose(%weight_hh_l0) "
     "{perm=[1,0]}"
     " %U = slice(%wt) {axis=1, stop=8} %Un = slice(%wt) {axis=1, start=8, stop=12}"
     " %s0 = constant() {shape=[3,4], values=[0]}"
     " %h, %y = scan(%s0; %g; %U, %Un, %bn; %l) {axes=[1], out_axes=[1]} (%s, %gt, %U, %Un, %bn, "
     "%live) {"
     "   %s1 = gru_cell(%gt, %s, %U, %Un; %bn) {reset=\"after\"} yield %s1; %s1 }"
     " %h_n = reshape(%h) {shape=[1,3,4]} return %y, %h_n }"},
    {"gru_cho_reset_before",
     "graph(%x: f32[3,5,4], %lengths: s64[3], %W: f32[6,4], %Wr: f32[6,4], %Wz: f32[6,4], %U: "
     "f32[6,6], %Ur: f32[6,6],"
     " %Uz: f32[6,6], %b: f32[6], %br: f32[6], %bz: f32[6]) {"
     " %l = cast(%lengths) {dtype=s32} %w = concat(%Wz, %Wr, %W) {axis=0} %c = concat(%bz, %br, "
     "%b) {axis=0}"
     " %g = linear(%x, %w; %c) {transpose_b=true} %uzr = concat(%Uz, %Ur) {axis=0}"
     " %u = transpose(%uzr) {perm=[1,0]} %un = transpose(%U) {perm=[1,0]} %s0 = constant() "
     "{shape=[3,6], values=[0]}"
     " %h, %o = scan(%s0; %g; %u, %un; %l) {axes=[1], out_axes=[1]} (%s, %gt, %u, %un, %live) {"
     "   %s1 = gru_cell(%gt, %s, %u, %un) {reset=\"before\"} yield %s1; %s1 }"
     " %m = length_mask(%l) {size=5} %m1 = reshape(%m) {shape=[3,5,1]} %h1 = reshape(%h) "
     "{shape=[3,1,6]}"
     " %copied = select(%m1, 0, %h1) %y = add(%o, %copied) return %y }"},
    {"lstm_uni_L1",
     "graph(%x: f32[3,6,5], %lengths: s64[3], %weight_ih_l0: f32[16,5], %weight_hh_l0: f32[16,4],"
     " %bias_ih_l0: f32[16], %bias_hh_l0: f32[16]) {"
     " %l = cast(%lengths) {dtype=s32} %b = add(%bias_ih_l0, %bias_hh_l0)"
     " %g = linear(%x, %weight_ih_l0; %b) {transpose_b=true} %U = transpose(%weight_hh_l0) "
     "{perm=[1,0]}"
     " %s0 = constant() {shape=[3,4], values=[0]}"
     " %h, %c, %y = scan(%s0, %s0; %g; %U; %l) {axes=[1], out_axes=[1]} (%s, %t, %gt, %U, %live) {"
     "   %s1, %t1 = lstm_cell(%gt, %s, %t, %U) yield %s1, %t1; %s1 }"
     " %h_n = reshape(%h) {shape=[1,3,4]} %c_n = reshape(%c) {shape=[1,3,4]} return %y, %h_n, %c_n "
     "}"},

    {"opt_adam", adam("")},
    {"opt_adam_l2", adam(" {decay=0.1}")},
    {"opt_adamw", adam(" {decay=0.1, decoupled=true}")},
    {"opt_adadelta",
     "graph(%w0: f32[3,4], %b0: f32[5], %g_w: f32[10,3,4], %g_b: f32[10,5], %lr: f32[10]) {"
     " %zw = mul(%w0, 0) %zb = mul(%b0, 0)"
     " %wN, %bN, %awN, %abN, %dwN, %dbN, %w, %b = scan(%w0, %b0, %zw, %zb, %zw, %zb; %g_w, %g_b, "
     "%lr;) {axes=[0,0,0], out_axes=[0,0]}"
     " (%w, %b, %aw, %ab, %dw, %db, %gw, %gb, %rate) {"
     "   %w1, %b1, %aw1, %ab1, %dw1, %db1 = adadelta_update(%w, %b; %gw, %gb; %aw, %ab; %dw, %db; "
     "%rate) {rho=0.95, eps=1e-6}"
     "   yield %w1, %b1, %aw1, %ab1, %dw1, %db1; %w1, %b1 }"
     " return %w, %b }"},
};

std::filesystem::path oracle_folder() {
  const char* shared = std::getenv("WEFT_SHARED");
  const std::filesystem::path root = shared != nullptr
                                         ? std::filesystem::path(shared)
                                         : std::filesystem::path(WEFT_SOURCE_DIR) / "../shared";
  return root / "oracle/torch";
}

}  // namespace

TEST_CASE("reference: agrees with PyTorch in double") {
  if (!std::filesystem::exists(oracle_folder())) {
    MESSAGE("skipped: there is no " << oracle_folder().string() << "; set WEFT_SHARED");
    return;
  }
  for (const Case& c : kCases) {
    CAPTURE(c.file);
    const formats::NamedArrays arrays =
        formats::read_npz((oracle_folder() / (c.file + ".npz")).string());
    const ir::Graph graph = ir::parse(c.graph, c.file);
    std::vector<Array> arguments;
    for (const ir::Argument& a : graph.arguments()) {
      const std::string& name = graph.info(a.value).name;
      const Array* given = nullptr;
      for (const char* kind : {"in/", "param/", "out/"})  // out/lr is the schedule given
        if (given == nullptr) given = arrays.find(kind + name);
      REQUIRE(given != nullptr);
      arguments.push_back(graph.type(a.value).dtype == DType::pred ? given->cast(DType::pred)
                                                                   : *given);
    }
    const std::vector<Array> results = backends::reference::evaluate(graph, arguments);
    for (size_t i = 0; i < results.size(); ++i) {
      CAPTURE(graph.outputs()[i].name);
      const Array& expected = arrays.at("out/" + graph.outputs()[i].name);
      Numbers values;
      for (int64_t e = 0; e < expected.size(); ++e) values.push_back(expected.at(e));
      check_values(results[i], expected.dims(), values, 1e-10);
    }
  }
}
