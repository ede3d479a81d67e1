// tests/property/edge_graphs.cpp -- the list.
#include "tests/property/edge_graphs.h"

namespace weft::tests {
namespace {

constexpr EdgeGraph kGraphs[] = {
    // --- softmax and losses
    {"softmax", R"(graph(%x: f32[B,4]) { %y = softmax(%x) return %y })"},
    {"softmax along the first axis",
     R"(graph(%x: f32[4,B]) { %y = softmax(%x) {axis=0} return %y })"},
    {"log of softmax", R"(graph(%x: f32[B,4]) { %p = softmax(%x) %y = log(%p) return %y })",
     "lows infinite masking lowest large saturated huge"},
    {"log_softmax", R"(graph(%x: f32[B,4], %w: f32[B,4]) {
       %l = log_softmax(%x) %y = mul(%l, %w) return %y, %l })"},
    {"log_softmax along the first axis", R"(graph(%x: f32[4,B]) {
       %y = log_softmax(%x) {axis=0} return %y })"},
    {"log_softmax of one class", R"(graph(%x: f32[B,1]) { %y = log_softmax(%x) return %y })"},
    {"cross-entropy", R"(graph(%x: f32[B,3], %l: s32[B]) {
       %p = log_softmax(%x) %g = gather(%p, %l) {axis=1, batch=1} %n = neg(%g) return %n })"},
    {"cross-entropy of one row", R"(graph(%x: f32[1,3], %l: s32[1]) {
       %p = log_softmax(%x) %g = gather(%p, %l) {axis=1, batch=1} %n = neg(%g) return %n })"},
    {"cross-entropy, smoothed", R"(graph(%x: f32[B,3], %l: s32[B]) {
       %p = log_softmax(%x) %n = neg(%p)
       %g = gather(%n, %l) {axis=1, batch=1} %a = mul(%g, 0.9)
       %m = mean(%n) {axes=[-1]} %b = mul(%m, 0.1) %y = add(%a, %b) return %y })"},
    {"cross-entropy, masked", R"(graph(%x: f32[B,3], %l: s32[B], %m: pred[B]) {
       %p = log_softmax(%x) %g = gather(%p, %l) {axis=1, batch=1} %n = neg(%g)
       %y = select(%m, %n, 0) return %y })"},
    {"cross-entropy, weighted", R"(graph(%x: f32[B,3], %l: s32[B], %positive_w: f32[B]) {
       %p = log_softmax(%x) %g = gather(%p, %l) {axis=1, batch=1} %n = neg(%g)
       %y = mul(%n, %positive_w) return %y })"},
    {"cross-entropy, weighted by a mask", R"(graph(%x: f32[B,3], %l: s32[B], %m: pred[B]) {
       %p = log_softmax(%x) %g = gather(%p, %l) {axis=1, batch=1} %n = neg(%g)
       %w = cast(%m) {dtype=f32} %y = mul(%n, %w) return %y })"},
    {"cross-entropy, smoothed and masked", R"(graph(%x: f32[B,3], %l: s32[B], %m: pred[B]) {
       %p = log_softmax(%x) %g = gather(%p, %l) {axis=1, batch=1} %a = mul(%g, -0.9)
       %u = mean(%p) {axes=[-1]} %b = mul(%u, 0.1) %s = sub(%a, %b) %y = select(%m, %s, 0) return %y })"},
    {"cross-entropy by one_hot, labels out of range", R"(graph(%x: f32[B,3], %l_below_5: s32[B]) {
       %p = log_softmax(%x) %h = one_hot(%l_below_5) {size=3}
       %m = mul(%p, %h) %g = sum(%m) {axes=[-1]} %y = neg(%g) return %y })",
     "lows infinite nans"},
    {"cross-entropy by one_hot, smoothed", R"(graph(%x: f32[B,3], %l_below_5: s32[B]) {
       %p = log_softmax(%x) %h = one_hot(%l_below_5) {size=3}
       %m = mul(%p, %h) %g = sum(%m) {axes=[-1]} %a = mul(%g, -0.9)
       %u = mean(%p) {axes=[-1]} %b = mul(%u, -0.1) %y = add(%a, %b) return %y })",
     "lows infinite"},
    {"cross-entropy of a product", R"(graph(%x: f32[B,2], %w: f32[2,3], %b: f32[3], %l: s32[B]) {
       %z = matmul(%x, %w) %s = add(%z, %b)
       %p = log_softmax(%s) %g = gather(%p, %l) {axis=1, batch=1} %n = neg(%g)
       %y = sum(%n) {axes=[0]} return %y })"},
    {"log-sum-exp", R"(graph(%x: f32[B,4]) {
       %t = max(%x) {axes=[-1], keep=true} %d = sub(%x, %t) %e = exp(%d) %s = sum(%e) {axes=[-1], keep=true}
       %l = log(%s) %y = add(%t, %l) return %y })"},
    {"top_k of log_softmax", R"(graph(%x: f32[B,5]) {
       %p = log_softmax(%x) %y, %i = top_k(%p) {k=2} return %y, %i })"},
    // --- attention
    {"attention", R"(graph(%q: f32[B,3,2], %ordinary_k: f32[B,4,2], %v: f32[B,4,2]) {
       %e = matmul(%q, %ordinary_k) {transpose_b=true} %s = mul(%e, 0.5) %a = softmax(%s) %y = matmul(%a, %v) return %y })",
     "", "large"},
    {"attention with a float mask",
     R"(graph(%ordinary_q: f32[B,3,2], %ordinary_k: f32[B,4,2], %ordinary_v: f32[B,4,2], %bias: f32[B,3,4]) {
       %e = matmul(%ordinary_q, %ordinary_k) {transpose_b=true} %s = add(%e, %bias) %a = softmax(%s)
       %y = matmul(%a, %ordinary_v) return %y })",
     "", "large", true},
    {"attention with a float mask of keys",
     R"(graph(%ordinary_q: f32[B,3,2], %ordinary_k: f32[B,4,2], %ordinary_v: f32[B,4,2], %bias: f32[B,1,4]) {
       %e = matmul(%ordinary_q, %ordinary_k) {transpose_b=true} %s = add(%e, %bias) %a = softmax(%s)
       %y = matmul(%a, %ordinary_v) return %y })",
     "", "large", true},
    {"attention with a float mask, many queries",
     R"(graph(%ordinary_q: f32[2,33,8], %ordinary_k: f32[2,37,8], %ordinary_v: f32[2,37,8], %bias: f32[2,33,37]) {
       %e = matmul(%ordinary_q, %ordinary_k) {transpose_b=true} %s = add(%e, %bias) %a = softmax(%s)
       %y = matmul(%a, %ordinary_v) return %y })",
     "", "large", true},
    {"attention with a float mask and weights",
     R"(graph(%ordinary_q: f32[B,3,2], %ordinary_k: f32[B,4,2], %ordinary_v: f32[B,4,2], %bias: f32[B,3,4]) {
       %e = matmul(%ordinary_q, %ordinary_k) {transpose_b=true} %s = add(%e, %bias) %a = softmax(%s)
       %y = matmul(%a, %ordinary_v) %z = sum(%y) {axes=[0,1,2]} %a2 = mul(%a, %a) %t = sum(%a2) {axes=[0,1,2]} %l = add(%z, %t) return %l, %y, %a })",
     "", "large", true},
    {"attention of one query with a float mask",
     R"(graph(%ordinary_q: f32[B,2], %ordinary_k: f32[B,4,2], %ordinary_v: f32[B,4,2], %bias: f32[B,4]) {
       %q1 = reshape(%ordinary_q) {shape=[B,1,2]} %e = matmul(%q1, %ordinary_k) {transpose_b=true}
       %e1 = reshape(%e) {shape=[B,4]} %s = add(%e1, %bias) %a = softmax(%s) %a1 = reshape(%a) {shape=[B,1,4]}
       %y = matmul(%a1, %ordinary_v) return %y })",
     "", "large", true},
    {"attention, additive, with a float mask",
     R"(graph(%ordinary_q: f32[B,3,2], %ordinary_k: f32[B,4,2], %ordinary_v: f32[B,4,2], %ordinary_va: f32[2], %bias: f32[B,3,4]) {
       %q1 = reshape(%ordinary_q) {shape=[B,3,1,2]} %k1 = reshape(%ordinary_k) {shape=[B,1,4,2]} %u = add(%q1, %k1) %t = tanh(%u)
       %m = mul(%t, %ordinary_va) %e = sum(%m) {axes=[-1]} %s = add(%e, %bias) %a = softmax(%s)
       %y = matmul(%a, %ordinary_v) return %y })",
     "", "large", true},
    {"attention, additive",
     R"(graph(%q: f32[B,3,2], %k: f32[B,4,2], %ordinary_v: f32[B,4,2], %ordinary_va: f32[2]) {
       %q1 = reshape(%q) {shape=[B,3,1,2]} %k1 = reshape(%k) {shape=[B,1,4,2]} %u = add(%q1, %k1) %t = tanh(%u)
       %m = mul(%t, %ordinary_va) %e = sum(%m) {axes=[-1]} %a = softmax(%e)
       %y = matmul(%a, %ordinary_v) return %y })",
     "", "large"},
    {"attention, additive, of one query",
     R"(graph(%q: f32[B,2], %k: f32[B,4,2], %ordinary_v: f32[B,4,2], %ordinary_va: f32[2]) {
       %q1 = reshape(%q) {shape=[B,1,2]} %u = add(%q1, %k) %t = tanh(%u)
       %m = mul(%t, %ordinary_va) %e = sum(%m) {axes=[-1]} %a = softmax(%e) %a1 = reshape(%a) {shape=[B,1,4]}
       %y = matmul(%a1, %ordinary_v) return %y })",
     "", "large"},
    {"attention with a mask",
     R"(graph(%ordinary_q: f32[B,3,2], %ordinary_k: f32[B,4,2], %ordinary_v: f32[B,4,2], %m: pred[B,3,4]) {
       %e = matmul(%ordinary_q, %ordinary_k) {transpose_b=true} %s = select(%m, %e, -inf) %a = softmax(%s)
       %y = matmul(%a, %ordinary_v) return %y })"},
    {"attention with a mask of keys",
     R"(graph(%q: f32[B,3,2], %ordinary_k: f32[B,4,2], %ordinary_v: f32[B,4,2], %l_below_5: s32[B]) {
       %m = length_mask(%l_below_5) {size=4} %m1 = reshape(%m) {shape=[B,1,4]}
       %e = matmul(%q, %ordinary_k) {transpose_b=true} %s = select(%m1, %e, -inf) %a = softmax(%s)
       %y = matmul(%a, %ordinary_v) return %y })",
     "lows infinite nans"},
    {"attention hidden by -1e9",
     R"(graph(%q: f32[B,3,2], %ordinary_k: f32[B,4,2], %ordinary_v: f32[B,4,2], %l_below_5: s32[B]) {
       %m = length_mask(%l_below_5) {size=4} %m1 = reshape(%m) {shape=[B,1,4]}
       %e = matmul(%q, %ordinary_k) {transpose_b=true} %s = select(%m1, %e, -1e9) %a = softmax(%s)
       %y = matmul(%a, %ordinary_v) return %y })"},
    {"attention hidden by the lowest float, added",
     R"(graph(%ordinary_q: f32[B,3,2], %ordinary_k: f32[B,4,2], %ordinary_v: f32[B,4,2], %l_below_5: s32[B]) {
       %m = length_mask(%l_below_5) {size=4} %m1 = reshape(%m) {shape=[B,1,4]} %f = cast(%m1) {dtype=f32} %n = sub(1, %f)
       %bias = mul(%n, -3.4028234663852886e38)
       %e = matmul(%ordinary_q, %ordinary_k) {transpose_b=true} %s = add(%e, %bias) %a = softmax(%s)
       %y = matmul(%a, %ordinary_v) return %y })",
     "", "large", true},
    {"attention of one key", R"(graph(%q: f32[B,3,2], %ordinary_k: f32[B,1,2], %v: f32[B,1,2]) {
       %e = matmul(%q, %ordinary_k) {transpose_b=true} %a = softmax(%e) %y = matmul(%a, %v) return %y })",
     "lows infinite"},
    {"causal attention",
     R"(graph(%q: f32[B,4,2], %ordinary_k: f32[B,4,2], %ordinary_v: f32[B,4,2]) {
       %t = iota() {shape=[4,1], dtype=s32} %j = iota() {shape=[4], dtype=s32} %m = greater_equal(%t, %j)
       %e = matmul(%q, %ordinary_k) {transpose_b=true} %s = select(%m, %e, -inf) %a = softmax(%s) %y = matmul(%a, %ordinary_v) return %y })",
     "lows infinite nans"},
    // --- norms
    {"layer norm", R"(graph(%x: f32[B,4], %g: f32[4], %b: f32[4]) {
       %m = mean(%x) {axes=[-1], keep=true} %c = sub(%x, %m) %s = mul(%c, %c) %v = mean(%s) {axes=[-1], keep=true}
       %e = add(%v, 1e-5) %r = rsqrt(%e) %n = mul(%c, %r) %z = mul(%n, %g) %y = add(%z, %b) return %y })"},
    {"layer norm by sqrt", R"(graph(%x: f32[B,4]) {
       %m = mean(%x) {axes=[-1], keep=true} %c = sub(%x, %m) %s = mul(%c, %c) %v = mean(%s) {axes=[-1], keep=true}
       %e = add(%v, 1e-12) %r = sqrt(%e) %y = div(%c, %r) return %y })"},
    {"layer norm of eps 0", R"(graph(%x: f32[B,4]) {
       %m = mean(%x) {axes=[-1], keep=true} %c = sub(%x, %m) %s = mul(%c, %c) %v = mean(%s) {axes=[-1], keep=true}
       %e = add(%v, 0) %r = rsqrt(%e) %y = mul(%c, %r) return %y })",
     "equal"},
    {"layer norm of width 1", R"(graph(%x: f32[B,1]) {
       %m = mean(%x) {axes=[-1], keep=true} %c = sub(%x, %m) %s = mul(%c, %c) %v = mean(%s) {axes=[-1], keep=true}
       %e = add(%v, 1e-5) %r = rsqrt(%e) %y = mul(%c, %r) return %y })"},
    {"rms norm", R"(graph(%x: f32[B,4], %g: f32[4]) {
       %s = mul(%x, %x) %v = mean(%s) {axes=[-1], keep=true} %e = add(%v, 1e-6) %r = rsqrt(%e) %n = mul(%x, %r)
       %y = mul(%n, %g) return %y })"},
    // --- products and activations
    {"linear and relu", R"(graph(%x: f32[B,2], %ordinary_w: f32[2,3], %b: f32[3]) {
       %z = matmul(%x, %ordinary_w) %s = add(%z, %b) %y = relu(%s) return %y })"},
    {"linear and gelu", R"(graph(%x: f32[B,2], %ordinary_w: f32[2,3], %b: f32[3]) {
       %z = matmul(%x, %ordinary_w) %s = add(%z, %b) %y = gelu(%s) return %y })"},
    {"linear and gelu_tanh", R"(graph(%x: f32[B,2], %ordinary_w: f32[2,3], %b: f32[3]) {
       %z = matmul(%x, %ordinary_w) %s = add(%z, %b) %y = gelu_tanh(%s) return %y })"},
    {"linear and silu", R"(graph(%x: f32[B,2], %ordinary_w: f32[2,3], %b: f32[3]) {
       %z = matmul(%x, %ordinary_w) %s = add(%z, %b) %y = silu(%s) return %y })"},
    {"linear and tanh", R"(graph(%x: f32[B,2], %ordinary_w: f32[2,3], %b: f32[3]) {
       %z = matmul(%x, %ordinary_w) %s = add(%z, %b) %y = tanh(%s) return %y })"},
    {"linear and sigmoid", R"(graph(%x: f32[B,2], %ordinary_w: f32[2,3], %b: f32[3]) {
       %z = matmul(%x, %ordinary_w) %s = add(%z, %b) %y = sigmoid(%s) return %y })"},
    {"a product and a residual", R"(graph(%x: f32[B,2], %ordinary_w: f32[2,3], %r: f32[B,3]) {
       %z = matmul(%x, %ordinary_w) %y = add(%z, %r) return %y })"},
    {"products of one value", R"(graph(%x: f32[B,2], %w: f32[2,3], %u: f32[2,3]) {
       %a = matmul(%x, %w) %b = matmul(%x, %u) %y = mul(%a, %b) return %y })"},
    // --- elementwise
    {"abs", R"(graph(%x: f32[B,4]) { %y = abs(%x) return %y })"},
    {"ceil", R"(graph(%x: f32[B,4]) { %y = ceil(%x) return %y })"},
    {"cos", R"(graph(%x: f32[B,4]) { %y = cos(%x) return %y })"},
    {"erf", R"(graph(%x: f32[B,4]) { %y = erf(%x) return %y })"},
    {"exp", R"(graph(%x: f32[B,4]) { %y = exp(%x) return %y })", "large saturated"},
    {"expm1", R"(graph(%x: f32[B,4]) { %y = expm1(%x) return %y })", "large saturated"},
    {"floor", R"(graph(%x: f32[B,4]) { %y = floor(%x) return %y })"},
    {"gelu", R"(graph(%x: f32[B,4]) { %y = gelu(%x) return %y })"},
    {"gelu_tanh", R"(graph(%x: f32[B,4]) { %y = gelu_tanh(%x) return %y })"},
    {"log", R"(graph(%x: f32[B,4]) { %y = log(%x) return %y })"},
    {"log1p", R"(graph(%x: f32[B,4]) { %y = log1p(%x) return %y })"},
    {"relu", R"(graph(%x: f32[B,4]) { %y = relu(%x) %i = div(1, %y) return %y, %i })"},
    {"round", R"(graph(%x: f32[B,4]) { %y = round(%x) %i = div(1, %y) return %y, %i })"},
    {"rsqrt", R"(graph(%x: f32[B,4]) { %y = rsqrt(%x) return %y })"},
    {"sigmoid", R"(graph(%x: f32[B,4]) { %y = sigmoid(%x) return %y })"},
    {"sigmoid, written out", R"(graph(%x: f32[B,4]) {
       %n = neg(%x) %e = exp(%n) %d = add(%e, 1) %y = div(1, %d) return %y })",
     "lows infinite masking lowest large huge saturated"},
    {"sign", R"(graph(%x: f32[B,4]) { %y = sign(%x) %i = div(1, %y) return %y, %i })"},
    {"silu", R"(graph(%x: f32[B,4]) { %y = silu(%x) return %y })"},
    {"x sigmoid(x)", R"(graph(%x: f32[B,4]) { %s = sigmoid(%x) %y = mul(%x, %s) return %y })"},
    {"sin", R"(graph(%x: f32[B,4]) { %y = sin(%x) return %y })"},
    {"softplus", R"(graph(%x: f32[B,4]) { %y = softplus(%x) return %y })"},
    {"sqrt", R"(graph(%x: f32[B,4]) { %y = sqrt(%x) return %y })"},
    {"tanh", R"(graph(%x: f32[B,4]) { %y = tanh(%x) return %y })"},
    {"is_finite", R"(graph(%x: f32[B,4]) { %y = is_finite(%x) return %y })"},
    {"div", R"(graph(%x: f32[B,4], %z: f32[B,4]) { %y = div(%x, %z) return %y })"},
    {"maximum", R"(graph(%x: f32[B,4], %z: f32[B,4]) { %y = maximum(%x, %z) return %y })"},
    {"minimum", R"(graph(%x: f32[B,4], %z: f32[B,4]) { %y = minimum(%x, %z) return %y })"},
    {"mul", R"(graph(%x: f32[B,4], %z: f32[B,4]) { %y = mul(%x, %z) return %y })"},
    {"pow",
     R"(graph(%x: f32[B,4], %ordinary_z: f32[B,4]) { %y = pow(%x, %ordinary_z) return %y })"},
    {"pow of edges",
     R"(graph(%ordinary_x: f32[B,4], %z: f32[B,4]) { %y = pow(%ordinary_x, %z) return %y })",
     "saturated large"},
    {"pow of small exponents",
     R"(graph(%x: f32[B,4]) { %a = pow(%x, 2) %b = pow(%x, 1) %c = pow(%x, 3) %d = pow(%x, 0) %e = pow(%x, -1) %f = pow(%x, 0.5)
       %g = add(%a, %b) %h = add(%g, %c) %i = add(%h, %d) %j = add(%i, %e) %y = add(%j, %f) return %y, %a, %b, %c, %d, %e, %f })"},
    {"remainder",
     R"(graph(%x: f32[B,4], %z: f32[B,4]) { %y = remainder(%x, %z) %i = div(1, %y) return %y, %i })",
     "large saturated masking"},
    {"comparisons", R"(graph(%x: f32[B,4], %z: f32[B,4]) {
       %a = less(%x, %z) %b = less_equal(%x, %z) %c = greater(%x, %z) %d = greater_equal(%x, %z) %e = equal(%x, %z) %f = not_equal(%x, %z)
       %g = logical_not(%a) %h = logical_not(%b) return %a, %b, %c, %d, %e, %f, %g, %h })"},
    // --- what algebra must not take for granted
    {"x + 0", R"(graph(%x: f32[B,4]) { %y = add(%x, 0) %i = div(1, %y) return %y, %i })"},
    {"x + -0", R"(graph(%x: f32[B,4]) { %y = add(%x, -0.0) %i = div(1, %y) return %y, %i })"},
    {"x - 0", R"(graph(%x: f32[B,4]) { %y = sub(%x, 0) %i = div(1, %y) return %y, %i })"},
    {"x - -0", R"(graph(%x: f32[B,4]) { %y = sub(%x, -0.0) %i = div(1, %y) return %y, %i })"},
    {"0 - x", R"(graph(%x: f32[B,4]) { %y = sub(0, %x) %i = div(1, %y) return %y, %i })"},
    {"-0 - x", R"(graph(%x: f32[B,4]) { %y = sub(-0.0, %x) %i = div(1, %y) return %y, %i })"},
    {"-x + z",
     R"(graph(%x: f32[B,4], %z: f32[B,4]) { %n = neg(%x) %y = add(%n, %z) %i = div(1, %y) return %y, %i })"},
    {"x * 0", R"(graph(%x: f32[B,4]) { %y = mul(%x, 0) %i = div(1, %y) return %y, %i })"},
    {"x * -1", R"(graph(%x: f32[B,4]) { %y = mul(%x, -1) %i = div(1, %y) return %y, %i })"},
    {"0 / x", R"(graph(%x: f32[B,4]) { %y = div(0, %x) %i = div(1, %y) return %y, %i })"},
    {"x - x", R"(graph(%x: f32[B,4]) { %y = sub(%x, %x) return %y })"},
    {"x / x", R"(graph(%x: f32[B,4]) { %y = div(%x, %x) return %y })"},
    {"x / 3", R"(graph(%x: f32[B,4]) { %y = div(%x, 3) return %y })"},
    {"x / 0", R"(graph(%x: f32[B,4]) { %y = div(%x, 0) return %y })"},
    {"x / -0", R"(graph(%x: f32[B,4]) { %y = div(%x, -0.0) return %y })"},
    {"exp(log(x))", R"(graph(%x: f32[B,4]) { %l = log(%x) %y = exp(%l) return %y })"},
    {"log(exp(x))", R"(graph(%x: f32[B,4]) { %l = exp(%x) %y = log(%l) return %y })",
     "large saturated masking"},
    {"sqrt(x * x)", R"(graph(%x: f32[B,4]) { %l = mul(%x, %x) %y = sqrt(%l) return %y })"},
    {"select of the same",
     R"(graph(%x: f32[B,4], %m: pred[B,4]) { %y = select(%m, %x, %x) return %y })"},
    {"select by not",
     R"(graph(%x: f32[B,4], %z: f32[B,4], %m: pred[B,4]) { %n = logical_not(%m) %y = select(%n, %x, %z) return %y })"},
    {"x < z, negated",
     R"(graph(%x: f32[B,4], %z: f32[B,4]) { %m = less(%x, %z) %n = logical_not(%m) %y = select(%n, %x, %z) return %y })"},
    {"select guards a square root", R"(graph(%x: f32[B,4]) {
       %c = greater(%x, 0) %s = sqrt(%x) %y = select(%c, %s, 0) return %y })"},
    {"select guards a chain", R"(graph(%x: f32[B,4], %z: f32[4]) {
       %c = greater(%x, 0) %s = log(%x) %t = mul(%s, %z) %u = div(%t, %x) %y = select(%c, %u, %x) return %y })"},
    {"select guards what was reshaped", R"(graph(%x: f32[B,4]) {
       %s = sqrt(%x) %t = transpose(%s) {perm=[1,0]} %u = reshape(%t) {shape=[4,B,1]} %xt = transpose(%x) {perm=[1,0]} %xr = reshape(%xt) {shape=[4,B,1]}
       %c = greater(%xr, 0) %y = select(%c, %u, 0) return %y })"},
    {"reassociated factors", R"(graph(%x: f32[B,4]) {
       %a = mul(%x, 1e20) %b = mul(%a, 1e20) %c = mul(%b, 1e-20) %y = mul(%c, 1e-20) return %y })",
     "infinite lows", "plain zeros lows infinite nans equal large saturated"},
    {"reassociated terms",
     R"(graph(%x: f32[B,4]) { %a = add(%x, 1e8) %y = sub(%a, 1e8) return %y })", "",
     "plain zeros lows infinite nans equal large saturated"},
    {"constants folded", R"(graph(%x: f32[B,4]) {
       %a = constant() {shape=[], values=[16777216]} %b = add(%a, 1) %c = sub(%b, %a) %d = div(1, %c) %y = mul(%x, %d) return %y })",
     "plain zeros infinite lows nans equal masking large saturated"},
    {"sum of a broadcast", R"(graph(%x: f32[B,4]) {
       %b = broadcast(%x) {shape=[3,B,4]} %s = sum(%b) {axes=[0]} %m = mean(%b) {axes=[0,1]} %y = add(%s, %m) return %y })"},
    // --- reductions
    {"reductions", R"(graph(%x: f32[B,4]) {
       %a = sum(%x) {axes=[-1]} %b = mean(%x) {axes=[-1]} %c = max(%x) {axes=[-1]} %d = min(%x) {axes=[-1]} %e = prod(%x) {axes=[-1]}
       %f = add(%a, %b) %g = add(%c, %d) %h = add(%f, %g) %y = add(%h, %e) return %y, %a, %b, %c, %d, %e })"},
    {"reductions of the first axis", R"(graph(%x: f32[B,4]) {
       %a = sum(%x) {axes=[0]} %b = mean(%x) {axes=[0]} %c = max(%x) {axes=[0]} %d = min(%x) {axes=[0]}
       %f = add(%a, %b) %g = add(%c, %d) %y = add(%f, %g) return %y, %a, %b, %c, %d })"},
    {"reductions of nothing", R"(graph(%x: f32[B,0]) {
       %a = sum(%x) {axes=[-1]} %b = mean(%x) {axes=[-1]} %c = max(%x) {axes=[-1]} %d = min(%x) {axes=[-1]} %e = prod(%x) {axes=[-1]}
       return %a, %b, %c, %d, %e })"},
    {"of no rows", R"(graph(%x: f32[0,4], %w: f32[4,3], %l: s32[0]) {
       %z = matmul(%x, %w) %p = log_softmax(%z) %g = gather(%p, %l) {axis=1, batch=1} %y = sum(%g) {axes=[0]} %m = max(%z) {axes=[0]} %n = mean(%z) {axes=[0]} return %y, %m, %n })"},
    {"cumsum", R"(graph(%x: f32[B,4]) { %y = cumsum(%x) return %y })"},
    {"arg_max",
     R"(graph(%x: f32[B,20]) { %y = arg_max(%x) %z = arg_max(%x) {axis=0} return %y, %z })"},
    {"top_k", R"(graph(%x: f32[B,20]) { %y, %i = top_k(%x) {k=4} return %y, %i })"},
    // --- casts
    {"casts", R"(graph(%x: f32[B,8]) {
       %a = cast(%x) {dtype=s32} %b = cast(%x) {dtype=s64} %c = cast(%x) {dtype=u8} %d = cast(%x) {dtype=s8} %e = cast(%x) {dtype=u32} %f = cast(%x) {dtype=pred}
       %g = cast(%x) {dtype=f16} %h = cast(%g) {dtype=f32} %i = cast(%x) {dtype=bf16} %j = cast(%i) {dtype=f32} return %a, %b, %c, %d, %e, %f, %h, %j })"},
    // --- look-ups
    {"gather", R"(graph(%x: f32[3,4], %i: s32[B]) { %y = gather(%x, %i) {axis=0} return %y })"},
    {"gather out of range",
     R"(graph(%x: f32[3,4], %i_below_5: s32[B]) { %y = gather(%x, %i_below_5) {axis=0} return %y })"},
    {"scatter_add out of range",
     R"(graph(%x: f32[3,4], %i_below_5: s32[B], %u: f32[B,4]) { %y = scatter_add(%x, %i_below_5, %u) {axis=0} return %y })"},
    // --- cells
    {"gru cell", R"(graph(%x: f32[B,3], %s: f32[B,2], %w: f32[3,6], %u: f32[2,4], %un: f32[2,2]) {
       %g = matmul(%x, %w) %g1 = slice(%g) {axis=-1, stop=4} %g2 = slice(%g) {axis=-1, start=4, stop=6}
       %su = matmul(%s, %u) %zp = add(%g1, %su) %zr = sigmoid(%zp) %z = slice(%zr) {axis=-1, stop=2} %r = slice(%zr) {axis=-1, start=2, stop=4}
       %rs = mul(%r, %s) %rn = matmul(%rs, %un) %np = add(%g2, %rn) %n = tanh(%np) %d = sub(%n, %s) %zd = mul(%z, %d) %y = add(%s, %zd) return %y })"},
    {"lstm cell", R"(graph(%g: f32[B,8], %h: f32[B,2], %c: f32[B,2], %u: f32[2,8]) {
       %hu = matmul(%h, %u) %p = add(%g, %hu) %i0 = slice(%p) {axis=-1, stop=2} %f0 = slice(%p) {axis=-1, start=2, stop=4} %n0 = slice(%p) {axis=-1, start=4, stop=6} %o0 = slice(%p) {axis=-1, start=6, stop=8}
       %i = sigmoid(%i0) %f = sigmoid(%f0) %n = tanh(%n0) %o = sigmoid(%o0) %fc = mul(%f, %c) %in = mul(%i, %n) %c1 = add(%fc, %in) %t = tanh(%c1) %y = mul(%o, %t) return %y, %c1 })"},
    // --- the optimiser
    {"clipping", R"(graph(%g: f32[B,4], %h: f32[4]) {
       %a = mul(%g, %g) %b = sum(%a) {axes=[0,1]} %c = mul(%h, %h) %d = sum(%c) {axes=[0]} %e = add(%b, %d) %n = sqrt(%e) %m = maximum(%n, 1) %s = div(1, %m)
       %y = mul(%g, %s) %z = mul(%h, %s) return %y, %z })"},
    {"adam",
     R"(graph(%p: f32[B,4], %g: f32[B,4], %m: f32[B,4], %positive_v: f32[B,4], %step: s64[]) {
       %m0 = mul(%m, 0.9) %m2 = mul(%g, 0.1) %m1 = add(%m0, %m2) %v0 = mul(%positive_v, 0.999) %gg = mul(%g, %g) %v2 = mul(%gg, 0.001) %v1 = add(%v0, %v2)
       %t = cast(%step) {dtype=f32} %b1 = pow(0.9, %t) %c1 = sub(1, %b1) %b2 = pow(0.999, %t) %c2 = sub(1, %b2)
       %mh = div(%m1, %c1) %vh = div(%v1, %c2) %r = sqrt(%vh) %d = add(%r, 1e-8) %q = div(%mh, %d) %u = mul(%q, 0.01) %y = sub(%p, %u) return %y, %m1, %v1 })"},
    {"adadelta",
     R"(graph(%p: f32[B,4], %g: f32[B,4], %positive_a: f32[B,4], %positive_d: f32[B,4]) {
       %a0 = mul(%positive_a, 0.95) %gg = mul(%g, %g) %a2 = mul(%gg, 0.05) %a1 = add(%a0, %a2) %s = add(%positive_d, 1e-6) %s1 = sqrt(%s) %r = add(%a1, 1e-6) %r1 = sqrt(%r)
       %q = div(%s1, %r1) %u = mul(%q, %g) %d0 = mul(%positive_d, 0.95) %uu = mul(%u, %u) %d2 = mul(%uu, 0.05) %d1 = add(%d0, %d2) %y = sub(%p, %u) return %y, %a1, %d1 })"},
    // --- integers
    {"s64 beyond 2^53", R"(graph(%x: s64[B]) {
       %a = add(%x, 9007199254740993) %c = constant() {dtype=s64, shape=[], values=[9007199254740992]} %d = add(%c, 1) %b = add(%x, %d)
       %e = mul(%d, %d) %f = add(%x, %e) %m = sub(%a, %d) %s = constant() {dtype=s64, shape=[2], values=[9007199254740993, -9007199254740995]} %t = sum(%s) {axes=[0]}
       return %a, %b, %f, %m, %t })"},
    {"s32 overflow", R"(graph(%x: s32[B]) {
       %a = add(%x, 2147483647) %b = mul(%a, 3) %c = sub(%b, -2147483648) %d = neg(%c) %e = abs(%c) %f = cast(%c) {dtype=s64} %g = cast(%f) {dtype=s8} %h = cast(%c) {dtype=f32} return %a, %b, %c, %d, %e, %f, %g, %h })"},
    {"u32, u8 and s8", R"(graph(%x: u32[B], %y: u8[B], %z: s8[B]) {
       %a = sub(%x, 3) %b = mul(%a, 4294967295) %c = sub(%y, 1) %d = mul(%c, 255) %e = sub(%z, 127) %f = sub(%e, 127) %g = neg(%f) %h = cast(%a) {dtype=f32} %i = cast(%c) {dtype=s8} %j = cast(%f) {dtype=u32} %k = add(%c, 255) %l = add(%k, 1) %m = sum(%c) {axes=[0]} %n = max(%a) {axes=[0]} %o = min(%f) {axes=[0]}
       return %a, %b, %c, %d, %e, %f, %g, %h, %i, %j, %k, %l, %m, %n, %o })"},
};

}  // namespace

std::span<const EdgeGraph> edge_graphs() { return kGraphs; }

}  // namespace weft::tests
