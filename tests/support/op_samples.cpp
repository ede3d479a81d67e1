// tests/support/op_samples.cpp -- a few graphs for every op, as text with sizes to be drawn.
#include "tests/support/op_samples.h"

#include "ir/check.h"
#include "ir/rewrite/builder.h"
#include "ir/text/text.h"

#include <algorithm>
#include <array>
#include <random>
#include <string_view>

namespace weft::tests {
namespace {

namespace ops = ir::ops;

// `$K` stands for a size that is drawn anew for each graph, the same for the same letter.
struct Samples {
  const ir::OpDef* op;
  std::vector<const char*> graphs;
};

// The op's name is put in place of OP.
constexpr const char* kUnary[] = {"graph(%x: f32[$M,$N]) { %y = OP(%x) return %y }",
                                  "graph(%x: f32[]) { %y = OP(%x) return %y }"};
constexpr const char* kUnaryPositive[] = {
    "graph(%positive_x: f32[$M,$N]) { %y = OP(%positive_x) return %y }",
    "graph(%positive_x: f32[B,3]) { %y = OP(%positive_x) return %y }"};
constexpr const char* kUnaryPred[] = {"graph(%x: pred[$M,$N]) { %y = OP(%x) return %y }"};
constexpr const char* kBinary[] = {
    "graph(%a: f32[$M,$N], %b: f32[$M,$N]) { %y = OP(%a, %b) return %y }",
    "graph(%a: f32[$M,1], %b: f32[$N]) { %y = OP(%a, %b) return %y }",
    "graph(%a: f32[], %b: f32[$M,B]) { %y = OP(%a, %b) return %y }",
    "graph(%a: f32[T,1,$N], %b: f32[1,$M,1]) { %y = OP(%a, %b) return %y }"};
constexpr const char* kBinaryPositive[] = {
    "graph(%a: f32[$M,$N], %positive_b: f32[$M,$N]) { %y = OP(%a, %positive_b) return %y }",
    "graph(%positive_a: f32[$M,1], %positive_b: f32[$N]) { %y = OP(%positive_a, %positive_b) "
    "return %y }"};
constexpr const char* kCompare[] = {
    "graph(%a: f32[$M,$N], %b: f32[$N]) { %y = OP(%a, %b) return %y }",
    "graph(%a: s32[$M,$N], %b: s32[$M,1]) { %y = OP(%a, %b) return %y }"};
constexpr const char* kBinaryPred[] = {
    "graph(%a: pred[$M,$N], %b: pred[$N]) { %y = OP(%a, %b) return %y }"};
constexpr const char* kReduce[] = {
    "graph(%x: f32[$M,$N,$K]) { %y = OP(%x) {axes=[1]} return %y }",
    "graph(%x: f32[$M,$N,$K]) { %y = OP(%x) {axes=[0,2], keep=true} return %y }",
    "graph(%x: f32[B,$N]) { %y = OP(%x) {axes=[0]} return %y }",
    "graph(%x: f32[$M,T]) { %y = OP(%x) {axes=[0,1]} return %y }"};
constexpr const char* kAlong[] = {"graph(%x: f32[$M,$N]) { %y = OP(%x) return %y }",
                                  "graph(%x: f32[$M,$N,$K]) { %y = OP(%x) {axis=1} return %y }",
                                  "graph(%x: f32[B,$N]) { %y = OP(%x) {axis=0} return %y }"};

template <size_t N>
std::vector<const char*> all(const char* const (&list)[N],
                             std::initializer_list<const char*> more = {}) {
  std::vector<const char*> graphs(std::begin(list), std::end(list));
  graphs.insert(graphs.end(), more);
  return graphs;
}

std::vector<Samples> make_table() {
  return {
      {&ops::abs, all(kUnary)},
      {&ops::adadelta_update,
       {"graph(%p: f32[$M,$N], %g: f32[$M,$N], %positive_a: f32[$M,$N], %positive_d: f32[$M,$N], "
        "%lr: f32[]) {"
        " %p1, %a1, %d1 = OP(%p; %g; %positive_a; %positive_d; %lr) {rho=0.8, eps=1e-4} return "
        "%p1, %a1, %d1 }",
        "graph(%p: f32[$M], %q: f32[$N], %g: f32[$M], %h: f32[$N], %positive_a: f32[$M], "
        "%positive_b: f32[$N], %positive_d: f32[$M],"
        " %positive_e: f32[$N], %lr: f32[], %scale: f32[]) { %y0, %y1, %y2, %y3, %y4, %y5 ="
        " OP(%p, %q; %g, %h; %positive_a, %positive_b; %positive_d, %positive_e; %lr; %scale) "
        "return %y0, %y1, %y2, %y3, %y4, %y5 }"}},
      {&ops::adafactor_update,
       {"graph(%p: f32[$M,$N], %g: f32[$M,$N], %positive_r: f32[$M], %positive_c: f32[$N], %beta2: "
        "f32[], %lr: f32[]) { %b = mul(%beta2, 0.1) %b2 = abs(%b)"
        " %p1, %r1, %c1 = OP(%p; %g; ; %positive_r; %positive_c; %b2, %lr) return %p1, %r1, %c1 }",
        "graph(%p: f32[$K,$M,$N], %q: f32[$N,4], %g: f32[$K,$M,$N], %h: f32[$N,4], %m: "
        "f32[$K,$M,$N], %n: f32[$N,4], %positive_r: f32[$K,$M], %positive_s: f32[$N], %positive_c: "
        "f32[$K,$N], %positive_d: f32[4], %lr: f32[], %scale: f32[]) {"
        " %b2 = constant() {values=[0.7]} %y0, %y1, %y2, %y3, %y4, %y5, %y6, %y7 = OP(%p, %q; %g, "
        "%h; %m, %n; %positive_r, %positive_s; %positive_c, %positive_d; %b2, %lr; %scale) "
        "{beta1=0.8, clip=0.5, decay=0.1, decoupled=true} return %y0, %y1, %y2, %y3, %y4, %y5, "
        "%y6, %y7 }",
        "graph(%p: f32[$M], %g: f32[$M], %m: f32[$M], %positive_r: f32[$M], %lr: f32[]) {"
        " %b2 = constant() {values=[0.7]} %p1, %m1, %r1 = OP(%p; %g; %m; %positive_r; ; %b2, %lr) "
        "{beta1=0.9, scaled=false, decay=0.1} return %p1, %m1, %r1 }"}},
      {&ops::adagrad_update,
       {"graph(%p: f32[$M,$N], %g: f32[$M,$N], %positive_a: f32[$M,$N], %lr: f32[]) {"
        " %p1, %a1 = OP(%p; %g; %positive_a; %lr) {eps=1e-4, initial=0.5} return %p1, %a1 }",
        "graph(%p: f32[$M], %g: f32[$M], %positive_a: f32[$M], %lr: f32[], %scale: f32[]) {"
        " %p1, %a1 = OP(%p; %g; %positive_a; %lr; %scale) {decay=0.1} return %p1, %a1 }"}},
      {&ops::adam_update,
       {"graph(%p: f32[$M,$N], %g: f32[$M,$N], %m: f32[$M,$N], %positive_v: f32[$M,$N], "
        "%step_below_5: s64[], %lr: f32[]) {"
        " %one = constant() {dtype=s64, shape=[], values=[1]} %step = add(%step_below_5, %one)"
        " %y0, %y1, %y2 = OP(%p; %g; %m; %positive_v; %step, %lr) {beta1=0.8, beta2=0.9, eps=1e-4} "
        "return %y0, %y1, %y2 }",
        "graph(%p: f32[$M], %g: f32[$M], %m: f32[$M], %positive_v: f32[$M], %step_below_5: s64[], "
        "%lr: f32[], %scale: f32[]) {"
        " %one = constant() {dtype=s64, shape=[], values=[1]} %step = add(%step_below_5, %one)"
        " %y0, %y1, %y2 = OP(%p; %g; %m; %positive_v; %step, %lr; %scale) {decay=0.1, "
        "decoupled=true} return %y0, %y1, %y2 }"}},
      {&ops::add, all(kBinary)},
      {&ops::arg_max, all(kAlong)},
      {&ops::attention,
       {"graph(%q: f32[$M,$N,$K], %k: f32[$M,$L,$K], %v: f32[$M,$L,2]) { %y = OP(%q, %k, %v) "
        "{scale=0.7} return %y }",
        "graph(%q: f32[B,3,$N,$K], %k: f32[B,3,S,$K], %v: f32[B,3,S,$K], %mask: pred[B,1,1,S]) {"
        " %y = OP(%q, %k, %v; ; %mask) return %y }",
        "graph(%q: f32[B,$K], %k: f32[B,S,$K], %v: f32[B,S,3], %v_a: f32[$K], %mask: pred[B,S]) {"
        " %y0, %y1 = OP(%q, %k, %v; %v_a; %mask) {score=\"additive\", weights=true} return %y0, "
        "%y1 }",
        "graph(%q: f32[$M,$N,$K], %k: f32[$M,$L,$K], %v: f32[$M,$L,2], %v_a: f32[$K], %bias: "
        "f32[$N,$L]) {"
        " %y0, %y1 = OP(%q, %k, %v; %v_a; ; %bias) {score=\"additive\", scale=0.5, lse=true} "
        "return %y0, %y1 }",
        "graph(%q: f32[$M,$K], %k: f32[$M,$L,$K], %v: f32[$M,$L,2], %bias: f32[$M,1]) {"
        " %y0, %y1, %y2 = OP(%q, %k, %v; ; ; %bias) {weights=true, lse=true} return %y0, %y1, %y2 "
        "}",
        "graph(%q: f32[B,2,T,$K], %k: f32[B,2,S,$K], %v: f32[B,2,S,3], %bias: f32[2,T,S], "
        "%step_below_9: s64[], %rows_below_99: s64[B]) {"
        " %y = OP(%q, %k, %v; ; ; %bias; %step_below_9; %rows_below_99) {band=[1, 0], keep=0.8, "
        "stream=5, inner_axes=[-3, -2, -1]} return %y }",
        "graph(%q: f32[B,2,T,$K], %k: f32[B,2,S,$K], %v: f32[B,2,S,3], %mask: pred[B,1,1,S], "
        "%step_below_9: s64[], %rows_below_99: s64[B], %p_below_9: s32[T]) {"
        " %y = OP(%q, %k, %v; ; %mask; ; %step_below_9; %rows_below_99; %p_below_9) {keep=0.7, "
        "stream=6, inner_axes=[-1, -3]} return %y }",
        "graph(%q: f32[B,$K], %k: f32[B,S,$K], %v: f32[B,S,3], %v_a: f32[$K], %step_below_9: "
        "s32[], "
        "%rows_below_99: s64[B], %p_below_9: s32[]) {"
        " %y = OP(%q, %k, %v; %v_a; ; ; %step_below_9; %rows_below_99; %p_below_9) {keep=0.6, "
        "score=\"additive\", inner_axes=[-1]} return %y }",
        "graph(%q: f32[B,2,T,$K], %k: f32[B,2,S,$K], %v: f32[B,2,S,3], %bias: f32[2,T+S-1]) {"
        " %y0, %y1 = OP(%q, %k, %v; ; ; %bias) {by_distance=true, lse=true} return %y0, %y1 }",
        "graph(%q: f32[B,2,3,$K], %k: f32[B,2,4,$K], %v: f32[B,2,4,3], %bias: f32[B,1,6]) {"
        " %y = OP(%q, %k, %v; ; ; %bias) {by_distance=true, band=[1, -1]} return %y }"}},
      {&ops::attention_grad,
       {"graph(%do: f32[B,2,T,3], %q: f32[B,2,T,$K], %k: f32[B,2,S,$K], %v: f32[B,2,S,3], "
        "%dl: f32[B,2,T]) { %o, %l = attention(%q, %k, %v) {lse=true}"
        " %y0, %y1, %y2 = OP(%do, %q, %k, %v, %o, %l; ; ; ; ; ; ; ; %dl) "
        "{wanted=[\"q\", \"k\", \"v\"]} return %y0, %y1, %y2 }",
        "graph(%do: f32[B,2,T,3], %q: f32[B,2,T,$K], %k: f32[B,2,S,$K], %v: f32[B,2,S,3], "
        "%bias: f32[1,T+S-1]) {"
        " %o, %l = attention(%q, %k, %v; ; ; %bias) {by_distance=true, lse=true}"
        " %y0, %y1 = OP(%do, %q, %k, %v, %o, %l; ; ; %bias) {by_distance=true, "
        "wanted=[\"q\", \"bias\"]} return %y0, %y1 }",
        "graph(%do: f32[$M,$N,2], %q: f32[$M,$N,$K], %k: f32[$M,$L,$K], %v: f32[$M,$L,2]) {"
        " %o, %l = attention(%q, %k, %v) {scale=0.7, lse=true}"
        " %y0, %y1, %y2 = OP(%do, %q, %k, %v, %o, %l) {scale=0.7, wanted=[\"q\", \"k\", \"v\"]} "
        "return %y0, %y1, %y2 }",
        "graph(%do: f32[B,3], %q: f32[B,$K], %k: f32[B,S,$K], %v: f32[B,S,3], %v_a: f32[$K], "
        "%mask: pred[B,S], %dw: f32[B,S], %bias: f32[S]) {"
        " %o, %l = attention(%q, %k, %v; %v_a; %mask; %bias) {score=\"additive\", lse=true}"
        " %y0, %y1, %y2 = OP(%do, %q, %k, %v, %o, %l; %v_a; %mask; %bias; %dw) "
        "{score=\"additive\", wanted=[\"k\", \"v_a\", \"bias\"]}"
        " return %y0, %y1, %y2 }",
        "graph(%do: f32[B,2,T,3], %q: f32[B,2,T,$K], %k: f32[B,2,S,$K], %v: f32[B,2,S,3], "
        "%bias: f32[2,T,S], %dw: f32[B,2,T,S], %step_below_9: s64[], %rows_below_99: s64[B]) {"
        " %o, %l = attention(%q, %k, %v; ; ; %bias; %step_below_9; %rows_below_99) {band=[1, 1], "
        "keep=0.8, stream=5, inner_axes=[-3, -2, -1], lse=true}"
        " %y0, %y1, %y2, %y3 = OP(%do, %q, %k, %v, %o, %l; ; ; %bias; %dw; %step_below_9; "
        "%rows_below_99) {band=[1, 1], keep=0.8, stream=5, inner_axes=[-3, -2, -1], "
        "wanted=[\"q\", \"k\", \"v\", \"bias\"]} return %y0, %y1, %y2, %y3 }"}},
      {&ops::by_distance,
       {"graph(%x: f32[B,2,T+S-1]) { %y = OP(%x) {queries=T} return %y }",
        "graph(%x: f32[$M+2]) { %y = OP(%x) {queries=3} return %y }"}},
      {&ops::sum_by_distance,
       {"graph(%y_: f32[B,2,T,S]) { %y = OP(%y_) return %y }",
        "graph(%y_: f32[$M,3]) { %y = OP(%y_) return %y }"}},
      {&ops::avg_pool,
       {"graph(%x: f32[B,5,$C]) { %y = OP(%x) {window=[2]} return %y }",
        "graph(%x: f32[$B,S+3,19]) { %y = OP(%x) {window=[3], strides=[2], low=[2], high=[1]} "
        "return %y }",
        "graph(%x: f32[B,6,5,$C]) { %y = OP(%x) {window=[2,3], strides=[3,1], high=[1,2], "
        "count_padding=true} return %y }"}},
      {&ops::avg_pool_grad,
       {"graph(%d: f32[B,4,$C]) { %y = OP(%d) {size=[5], window=[2]} return %y }",
        "graph(%d: f32[$B,S,17]) { %y = OP(%d) {size=[2*S], window=[2], strides=[2]} return %y }",
        "graph(%d: f32[B,2,5,$C]) { %y = OP(%d) {size=[6,5], window=[2,3], strides=[3,1], "
        "high=[1,2], count_padding=true} return %y }"}},
      {&ops::broadcast,
       {"graph(%x: f32[$M,1]) { %y = OP(%x) {shape=[$K,$M,$N]} return %y }",
        "graph(%x: f32[], %z: f32[B]) { %y = OP(%x) {shape=[B,$N]} return %y }",
        "graph(%x: s32[1,$N], %z: s32[T]) { %y = OP(%x) {shape=[T,$N]} return %y }"}},
      {&ops::cast,
       {"graph(%x: f32[$M,$N]) { %y = OP(%x) {dtype=f64} return %y }",
        "graph(%x: f32[$M,$N]) { %y = OP(%x) {dtype=s32} return %y }",
        "graph(%x: s32[$M]) { %y = OP(%x) {dtype=pred} return %y }",
        "graph(%x: pred[$M]) { %y = OP(%x) {dtype=f32} return %y }"}},
      {&ops::ceil, all(kUnaryPositive)},
      {&ops::concat,
       {"graph(%a: f32[$M,$N], %b: f32[$M,$K], %c: f32[$M,1]) { %y = OP(%a, %b, %c) {axis=1} "
        "return %y }",
        "graph(%a: f32[B,$N], %b: f32[T,$N]) { %y = OP(%a, %b) {axis=0} return %y }"}},
      {&ops::constant,
       {"graph() { %y = OP() {dtype=f32, shape=[2,2], values=[1, 2.5, -3, 0.1]} return %y }",
        "graph(%x: f32[B]) { %y = OP() {dtype=s32, shape=[B,3], values=[7]} return %y }"}},
      {&ops::conv,
       {"graph(%x: f32[B,7,$C], %w: f32[3,$C,$N]) { %y = OP(%x, %w) return %y }",
        "graph(%x: f32[$B,S+4,$C], %w: f32[4,$C,$N], %b: f32[$N]) { %y = OP(%x, %w; %b) "
        "{strides=[2], low=[1], high=[2]} return %y }",
        "graph(%x: f32[B,6,7,2*$C], %w: f32[2,3,$C,2*$N], %b: f32[2*$N]) { %y = OP(%x, %w; %b) "
        "{strides=[2,1], dilations=[1,2], low=[0,2], high=[1,1], groups=2} return %y }",
        "graph(%x: f32[$B,5,5,4], %w: f32[3,3,1,4]) { %y = OP(%x, %w) {low=[1,1], high=[1,1], "
        "groups=4} return %y }",
        "graph(%x: f32[$B,4,4,2], %w: f32[2,2,2,$N]) { %y = OP(%x, %w) {strides=[3,2]} return %y }",
        "graph(%x: f32[2,3,4,3,2], %w: f32[2,3,1,2,$N]) { %y = OP(%x, %w) return %y }"}},
      {&ops::conv_input_grad,
       {"graph(%d: f32[B,5,$N], %w: f32[3,$C,$N]) { %y = OP(%d, %w) {size=[7]} return %y }",
        "graph(%d: f32[$B,S,$N], %w: f32[4,$C,$N]) { %y = OP(%d, %w) {size=[2*S], strides=[2], "
        "low=[1], high=[1]} return %y }",
        "graph(%d: f32[B,3,6,4], %w: f32[2,3,2,4]) { %y = OP(%d, %w) {size=[6,7], strides=[2,1], "
        "dilations=[1,2], low=[0,2], high=[1,1], groups=2} return %y }"}},
      {&ops::conv_weight_grad,
       {"graph(%x: f32[B,7,$C], %d: f32[B,5,$N]) { %y = OP(%x, %d) {size=[3]} return %y }",
        "graph(%x: f32[$B,2*S,$C], %d: f32[$B,S,$N]) { %y = OP(%x, %d) {size=[4], strides=[2], "
        "low=[1], high=[1]} return %y }",
        "graph(%x: f32[B,6,7,4], %d: f32[B,3,6,4]) { %y = OP(%x, %d) {size=[2,3], strides=[2,1], "
        "dilations=[1,2], low=[0,2], high=[1,1], groups=2} return %y }"}},
      {&ops::cos, all(kUnary)},
      {&ops::cumprod,
       all(kAlong,
           {"graph(%x: f32[$M,$N]) { %y = OP(%x) {axis=0, reverse=true} return %y }",
            "graph(%x: f32[$M,$N]) { %y = OP(%x) {exclusive=true} return %y }",
            "graph(%x: f32[$M,T]) { %y = OP(%x) {exclusive=true, reverse=true} return %y }",
            "graph(%x: f32[$M,4]) { %k = constant() {shape=[4], values=[1, 0, 1, 0]} %z = mul(%x, "
            "%k) %y = OP(%z) return %y }",
            "graph(%x: s32[$M,$N]) { %y = OP(%x) {axis=0} return %y }"})},
      {&ops::cumsum,
       all(kAlong,
           {"graph(%x: f32[$M,$N]) { %y = OP(%x) {axis=0, reverse=true} return %y }",
            "graph(%x: f32[$M,$N]) { %y = OP(%x) {exclusive=true} return %y }",
            "graph(%x: f32[$M,T]) { %y = OP(%x) {exclusive=true, reverse=true} return %y }"})},
      // The derivative given is the true one, so that it can be checked as any other.
      {&ops::custom_vjp,
       {"graph(%x: f32[$M,$N], %w: f32[$N]) { %y = OP(%x, %w) (%x, %w) { %p = mul(%x, %w) yield %p "
        "}"
        " (%x, %w, %p, %dp) { %dx = mul(%dp, %w) %d = mul(%dp, %x) %dw = sum(%d) {axes=[0]} yield "
        "%dx, %dw } return %y }"}},
      {&ops::dim_size,
       {"graph(%x: f32[B,$N]) { %y = OP(%x) {axis=0, dtype=f32} return %y }",
        "graph(%x: f32[$M,$N]) { %y = OP(%x) {axis=-1, dtype=s32} return %y }"}},
      {&ops::div, all(kBinaryPositive)},
      {&ops::dynamic_slice,
       {"graph(%x: f32[$M,5], %start_below_7: s32[]) { %y = OP(%x, %start_below_7) {axis=1, "
        "size=3} return %y }",
        "graph(%x: f32[T,$N], %start_below_2: s64[]) { %y = OP(%x, %start_below_2) {axis=0, "
        "size=1} return %y }"}},
      {&ops::equal, all(kCompare)},
      {&ops::erf, all(kUnary)},
      {&ops::exp, all(kUnary)},
      {&ops::expm1, all(kUnary)},
      {&ops::floor, all(kUnaryPositive)},
      {&ops::gather,
       {"graph(%x: f32[5,$N], %i_below_5: s32[$M,$K]) { %y = OP(%x, %i_below_5) {axis=0} return %y "
        "}",
        "graph(%x: f32[B,$N,4], %i_below_4: s64[B,$M]) { %y = OP(%x, %i_below_4) {axis=2, batch=1} "
        "return %y }",
        "graph(%x: f32[$M,$N,3,2], %i_below_3: s32[$M]) { %y = OP(%x, %i_below_3) {axis=2, "
        "batch=1} return %y }",
        "graph(%x: f32[$M,3], %i_below_3: s32[]) { %y = OP(%x, %i_below_3) {axis=1} return %y }"}},
      {&ops::gelu, all(kUnary)},
      {&ops::gelu_tanh, all(kUnary)},
      {&ops::greater, all(kCompare)},
      {&ops::greater_equal, all(kCompare)},
      {&ops::gru_cell,
       {"graph(%g: f32[B,3*$H], %s: f32[B,$H], %U: f32[$H,2*$H], %Un: f32[$H,$H]) { %y = OP(%g, "
        "%s, %U, %Un) return %y }",
        "graph(%g: f32[$B,3*$H], %s: f32[$B,$H], %U: f32[$H,2*$H], %Un: f32[$H,$H], %b: f32[$H]) {"
        " %y = OP(%g, %s, %U, %Un; %b) {reset=\"after\"} return %y }",
        "graph(%g: f32[$B,3*$H], %s: f32[$B,$H], %U: f32[$H,2*$H], %Un: f32[$H,$H]) {"
        " %y0, %y1 = OP(%g, %s, %U, %Un) {reset=\"after\", gates=true} return %y0, %y1 }"}},
      {&ops::gru_cell_grad,
       {"graph(%d: f32[B,$H], %s: f32[B,$H], %gates: f32[B,3*$H], %U: f32[$H,2*$H], %Un: "
        "f32[$H,$H]) {"
        " %y0, %y1 = OP(%d, %s, %gates, %U, %Un) return %y0, %y1 }",
        "graph(%d: f32[$B,$H], %s: f32[$B,$H], %gates: f32[$B,3*$H], %U: f32[$H,2*$H], %Un: "
        "f32[$H,$H], %b: f32[$H]) {"
        " %y0, %y1, %y2 = OP(%d, %s, %gates, %U, %Un; %b) {reset=\"after\"} return %y0, %y1, %y2 "
        "}"}},
      {&ops::iota,
       {"graph(%x: f32[B]) { %y = OP() {shape=[$M,B], axis=1, dtype=s32} return %y }",
        "graph() { %y = OP() {shape=[$M,$N], axis=0, dtype=f32} return %y }"}},
      {&ops::is_finite, all(kUnary)},
      {&ops::layer_norm,
       {"graph(%x: f32[$M,$N,6]) { %y = OP(%x) return %y }",
        "graph(%x: f32[B,5], %g: f32[5], %b: f32[5]) { %y0, %y1, %y2 = OP(%x; %g; %b) {eps=0.1, "
        "statistics=true} return %y0, %y1, %y2 }",
        "graph(%x: f32[$M,20], %b: f32[20]) { %y = OP(%x; ; %b) {eps=0.01} return %y }"}},
      {&ops::layer_norm_grad,
       {"graph(%d: f32[$M,7], %x: f32[$M,7]) { %y, %m, %r = layer_norm(%x) {eps=0.1, "
        "statistics=true}"
        " %y0 = OP(%d, %x, %m, %r) {eps=0.1, wanted=[\"x\"]} return %y0 }",
        "graph(%d: f32[B,T,18], %x: f32[B,T,18], %g: f32[18], %b: f32[18]) {"
        " %y, %m, %r = layer_norm(%x; %g; %b) {eps=0.1, statistics=true}"
        " %y0, %y1, %y2 = OP(%d, %x, %m, %r; %g; %b) {eps=0.1, wanted=[\"x\", \"scale\", "
        "\"shift\"]} return %y0, %y1, %y2 }"}},
      {&ops::length_mask,
       {"graph(%len_upto_4: s32[B], %z: f32[T]) { %y = OP(%len_upto_4) {size=T} return %y }",
        "graph(%len_upto_4: s64[$M,$N]) { %y = OP(%len_upto_4) {size=4} return %y }"}},
      {&ops::length_order,
       {"graph(%length_upto_4: s32[B]) { %y0, %y1 = OP(%length_upto_4) return %y0, %y1 }"}},
      {&ops::less, all(kCompare)},
      {&ops::less_equal, all(kCompare)},
      {&ops::linear,
       {"graph(%x: f32[$M,$K], %w: f32[$K,$N]) { %y = OP(%x, %w) return %y }",
        "graph(%x: f32[B,T,$K], %w: f32[$N,$K], %b: f32[$N]) { %y = OP(%x, %w; %b) "
        "{transpose_b=true, activation=\"tanh\"} return %y }",
        "graph(%x: f32[$K], %w: f32[$K,$N], %b: f32[$N]) { %y = OP(%x, %w; %b) "
        "{activation=\"sigmoid\"} return %y }",
        "graph(%x: f32[$M,$K], %w: f32[$K,$N], %b: f32[$N]) { %y = OP(%x, %w; %b) "
        "{activation=\"relu\"} return %y }",
        "graph(%x: f32[$M,$K], %w: f32[$K,$N], %b: f32[$N]) { %y = OP(%x, %w; %b) "
        "{activation=\"gelu\"} return %y }",
        "graph(%x: f32[B,$M,$K], %w: f32[$K,$N], %b: f32[$N], %r: f32[B,$M,$N]) { %y = OP(%x, %w; "
        "%b; %r) return %y }",
        "graph(%x: f32[$K], %w: f32[$N,$K], %r: f32[$N]) { %y = OP(%x, %w; ; %r) "
        "{transpose_b=true} return %y }"}},
      {&ops::linear_cross_entropy,
       {"graph(%d: f32[$M], %x: f32[$M,$K], %w: f32[$K,6], %i_below_6: s32[$M]) { %y, %dx, %dw = "
        "OP(%d, %x, %w, %i_below_6) {wanted=[\"x\", \"w\"]} return %y, %dx, %dw }",
        "graph(%d: f32[B,T], %x: f32[B,T,$K], %w: f32[5,$K], %i_below_5: s64[B,T], %b: f32[5], %v: "
        "f32[B,T]) { %y, %dw, %db, %dx = OP(%d, %x, %w, %i_below_5; %b; %v) {transpose_b=true, "
        "smoothing=0.2, wanted=[\"w\", \"bias\", \"x\"]} return %y, %dw, %db, %dx }"}},
      {&ops::linear_recurrence,
       {"graph(%a: f32[$M,$N], %b: f32[$M,$N]) { %y = OP(%a, %b) return %y }",
        "graph(%a: f32[$M,$N,$K], %b: f32[$M,$N,$K]) { %y = OP(%a, %b) {axis=1, reverse=true} "
        "return %y }",
        "graph(%a: f32[B,T], %b: f32[B,T]) { %y = OP(%a, %b) {axis=0} return %y }"}},
      {&ops::lion_update,
       {"graph(%p: f32[$M,$N], %g: f32[$M,$N], %m: f32[$M,$N], %lr: f32[]) {"
        " %p1, %m1 = OP(%p; %g; %m; %lr) {beta1=0.8, beta2=0.9} return %p1, %m1 }",
        "graph(%p: f32[$M], %g: f32[$M], %m: f32[$M], %lr: f32[], %scale: f32[]) {"
        " %p1, %m1 = OP(%p; %g; %m; %lr; %scale) {decay=0.1, decoupled=true} return %p1, %m1 }"}},
      {&ops::log, all(kUnaryPositive)},
      {&ops::log1p, all(kUnaryPositive)},
      {&ops::log_softmax, all(kAlong)},
      {&ops::log_softmax_top_k,
       {"graph(%x: f32[$M,7]) { %y0, %y1 = OP(%x) {k=3} return %y0, %y1 }",
        "graph(%x: f32[B,$M,5]) { %y0, %y1 = OP(%x) {k=1} return %y0, %y1 }"}},
      {&ops::logical_and, all(kBinaryPred)},
      {&ops::logical_not, all(kUnaryPred)},
      {&ops::logical_or, all(kBinaryPred)},
      {&ops::logical_xor, all(kBinaryPred)},
      {&ops::lstm_cell,
       {"graph(%g: f32[B,4*$H], %h: f32[B,$H], %c: f32[B,$H], %U: f32[$H,4*$H]) { %y0, %y1 = "
        "OP(%g, %h, %c, %U) return %y0, %y1 }",
        "graph(%g: f32[$B,4*$H], %h: f32[$B,$H], %c: f32[$B,$H], %U: f32[$H,4*$H]) {"
        " %y0, %y1, %y2 = OP(%g, %h, %c, %U) {gates=true} return %y0, %y1, %y2 }"}},
      {&ops::lstm_cell_grad,
       {"graph(%dh: f32[B,$H], %dc: f32[B,$H], %c: f32[B,$H], %c1: f32[B,$H], %gates: f32[B,4*$H], "
        "%U: f32[$H,4*$H]) {"
        " %y0, %y1, %y2 = OP(%dh, %dc, %c, %c1, %gates, %U) return %y0, %y1, %y2 }"}},
      {&ops::matmul,
       {"graph(%a: f32[$M,$K], %b: f32[$K,$N]) { %y = OP(%a, %b) return %y }",
        "graph(%a: f32[$K,$M], %b: f32[$N,$K]) { %y = OP(%a, %b) {transpose_a=true, "
        "transpose_b=true} return %y }",
        "graph(%a: f32[B,T,$K], %b: f32[$K,$N]) { %y = OP(%a, %b) return %y }",
        "graph(%a: f32[B,T,$K], %b: f32[$N,$K]) { %y = OP(%a, %b) {transpose_b=true} return %y }",
        "graph(%a: f32[B,2,$K,T], %b: f32[$K,$N]) { %y = OP(%a, %b) {transpose_a=true} return %y }",
        "graph(%a: f32[$B,$K,$M], %b: f32[$N,$K]) { %y = OP(%a, %b) {transpose_a=true, "
        "transpose_b=true} return %y }",
        "graph(%a: f32[$M,$K], %b: f32[B,$K,$N]) { %y = OP(%a, %b) return %y }",
        "graph(%a: f32[$B,1,$M,$K], %b: f32[$L,$N,$K]) { %y = OP(%a, %b) {transpose_b=true} return "
        "%y }",
        "graph(%a: f32[B,$K,$M], %b: f32[1,$K,$N]) { %y = OP(%a, %b) {transpose_a=true} return %y "
        "}"}},
      {&ops::max, all(kReduce)},
      {&ops::max_pool,
       {"graph(%x: f32[B,5,$C]) { %y = OP(%x) {window=[2]} return %y }",
        "graph(%x: f32[$B,S+3,19]) { %y0, %y1 = OP(%x) {window=[3], strides=[2], low=[2], "
        "high=[1], indices=true} return %y0, %y1 }",
        "graph(%x: f32[B,6,5,$C]) { %y = OP(%x) {window=[2,3], strides=[3,1], high=[1,2]} return "
        "%y }"}},
      {&ops::max_pool_grad,
       {"graph(%d: f32[B,4,$C], %i_below_5: s32[B,4,$C]) { %y = OP(%d, %i_below_5) {size=[5]} "
        "return %y }",
        "graph(%d: f32[$B,S,2,18], %i_below_6: s32[$B,S,2,18]) { %y = OP(%d, %i_below_6) "
        "{size=[2,3]} return %y }"}},
      {&ops::maximum, all(kBinary)},
      {&ops::mean, all(kReduce)},
      {&ops::min, all(kReduce)},
      {&ops::minimum, all(kBinary)},
      {&ops::moving_average,
       {"graph(%p: f32[$M,$N], %q: f32[], %a: f32[$M,$N], %b: f32[], %decay: f32[]) {"
        " %a1, %b1 = OP(%p, %q; %a, %b; %decay) return %a1, %b1 }"}},
      {&ops::mul, all(kBinary)},
      {&ops::neg, all(kUnary, {"graph(%x: s32[$M]) { %y = OP(%x) return %y }"})},
      {&ops::not_equal, all(kCompare)},
      {&ops::one_hot,
       {"graph(%i_below_6: s32[B,$M]) { %y = OP(%i_below_6) {size=5} return %y }",
        "graph(%i: s64[$M], %z: f32[T]) { %y = OP(%i) {size=T, dtype=s32} return %y }"}},
      {&ops::pad,
       {"graph(%x: f32[$M,$N]) { %y = OP(%x) {axis=0, low=2} return %y }",
        "graph(%x: f32[$M,T,$N]) { %y = OP(%x) {axis=1, low=1, high=T, value=-2.5} return %y }"}},
      {&ops::pow,
       std::vector<const char*>(
           {"graph(%positive_a: f32[$M,$N], %positive_b: f32[$M,$N]) { %y = OP(%positive_a, "
            "%positive_b) return %y }",
            "graph(%positive_a: f32[$M,1], %b: f32[$N]) { %y = OP(%positive_a, %b) return %y }",
            "graph(%a: f32[$M]) { %y = OP(%a, 3) return %y }"})},
      {&ops::prod, all(kReduce)},
      {&ops::random,
       {"graph(%step_below_9: s64[], %rows_below_99: s64[B]) { %y = OP(%step_below_9, "
        "%rows_below_99) {stream=7, inner=[$M,3]} return %y }",
        "graph(%step_below_9: s32[], %rows_below_99: s64[B], %p_below_9: s32[T]) {"
        " %y = OP(%step_below_9, %rows_below_99; %p_below_9) {stream=1, inner=[$M], "
        "form=\"uniform\"} return %y }",
        "graph(%step_below_9: s64[], %rows_below_99: s64[B]) {"
        " %y = OP(%step_below_9, %rows_below_99) {stream=2, inner=[5], form=\"keep\", keep=0.8} "
        "return %y }"}},
      {&ops::relu, all(kUnary)},
      {&ops::remainder, all(kBinaryPositive)},
      {&ops::reshape,
       {"graph(%x: f32[$M,$N,$K]) { %y = OP(%x) {shape=[$K*$M,$N]} return %y }",
        "graph(%x: f32[B,T,6]) { %y = OP(%x) {shape=[B*T,2,3]} return %y }"}},
      {&ops::reverse,
       {"graph(%x: f32[$M,$N]) { %y = OP(%x) {axis=0} return %y }",
        "graph(%x: f32[B,T,2]) { %y = OP(%x) {axis=-2} return %y }"}},
      {&ops::rms_norm,
       {"graph(%x: f32[$M,$N,6]) { %y = OP(%x) {eps=0.1} return %y }",
        "graph(%x: f32[B,19], %g: f32[19]) { %y0, %y1 = OP(%x; %g) {eps=0.1, statistics=true} "
        "return %y0, %y1 }"}},
      {&ops::rms_norm_grad,
       {"graph(%d: f32[$M,7], %x: f32[$M,7]) { %y, %r = rms_norm(%x) {eps=0.1, statistics=true}"
        " %y0 = OP(%d, %x, %r) {eps=0.1, wanted=[\"x\"]} return %y0 }",
        "graph(%d: f32[B,T,18], %x: f32[B,T,18], %g: f32[18]) {"
        " %y, %r = rms_norm(%x; %g) {eps=0.1, statistics=true}"
        " %y0, %y1 = OP(%d, %x, %r; %g) {eps=0.1, wanted=[\"x\", \"scale\"]} return %y0, %y1 }"}},
      {&ops::round, all(kUnaryPositive)},
      {&ops::rsqrt, all(kUnaryPositive)},
      {&ops::same_dim, {"graph(%x: f32[$M,4]) { %y = OP(%x) {axis=1, size=4} return %y }"}},
      {&ops::scan,
       {// A plain recurrence.
        "graph(%s: f32[$B,$H], %x: f32[T,$B,$H], %U: f32[$H,$H]) { %y0, %y1 = OP(%s; %x; %U) "
        "{axes=[0], out_axes=[1]}"
        " (%s, %x, %U) { %m = matmul(%s, %U) %z = add(%m, %x) %n = tanh(%z) %o = mul(%n, %s) yield "
        "%n; %o } return %y0, %y1 }",
        // Reverse, with lengths; time in the middle; a row of invariants and one of weights.
        "graph(%s: f32[B,$H], %x: f32[B,T,$H], %h: f32[B,$H], %U: f32[$H,$H], %b: f32[$H], "
        "%len_upto_4: s32[B]) {"
        " %y0, %y1 = OP(%s; %x; %h, %U, %b; %len_upto_4) {axes=[1], out_axes=[1], reverse=true}"
        " (%s, %x, %h, %U, %b, %live) { %m = matmul(%s, %U) %z = add(%m, %x) %z1 = add(%z, %b) %n "
        "= tanh(%z1)"
        " %k = mul(%h, %n) yield %k; %n } return %y0, %y1 }",
        // No scanned inputs; an integer carry; a carry that does not depend on anything else.
        "graph(%s: f32[$B,$H], %w: f32[$H]) { %zero = constant() {dtype=s32, shape=[], values=[0]}"
        " %c = constant() {dtype=f32, shape=[], values=[0.5]}"
        " %yt, %y0, %yc = OP(%zero, %s, %c; ; %w) {steps=3}"
        " (%t, %s, %c, %w) { %one = constant() {dtype=s32, shape=[], values=[1]} %t1 = add(%t, "
        "%one)"
        " %f = cast(%t) {dtype=f32} %g = mul(%f, %w) %h = mul(%g, %s) %s1 = sin(%h) %c1 = mul(%c, "
        "0.5)"
        " %s2 = mul(%s1, %c) yield %t1, %s2, %c1; } return %y0, %yc }",
        // Lengths with values that have no rows: a scanned scalar, a scalar carry.
        "graph(%s: f32[B,$H], %k: f32[], %x: f32[B,T,$H], %a: f32[T], %w: f32[$H], %len_upto_4: "
        "s32[B]) {"
        " %y0, %y1, %y2 = OP(%s, %k; %x, %a; %w; %len_upto_4) {axes=[1,0], out_axes=[0]}"
        " (%s, %k, %x, %a, %w, %live) { %ax = mul(%a, %x) %z = add(%s, %ax) %n = tanh(%z) %nk = "
        "mul(%n, %k)"
        " %k1 = sin(%k) %o = mul(%nk, %w) yield %nk, %k1; %o } return %y0, %y1, %y2 }",
        // A loop in a loop.
        "graph(%s: f32[$B,$H], %x: f32[T,2,$B,$H], %U: f32[$H,$H]) { %y0, %y1 = OP(%s; %x; %U) "
        "{axes=[0], out_axes=[0]}"
        " (%s, %x, %U) { %r, %o = OP(%s; %x; %U) {axes=[0], out_axes=[0], reverse=true}"
        " (%s, %x, %U) { %m = matmul(%s, %U) %z = mul(%m, %x) %n = tanh(%z) yield %n; %m }"
        " %q = sum(%o) {axes=[0]} yield %r; %q } return %y0, %y1 }"}},
      {&ops::pack,
       {"graph(%x: f32[T,B,$N], %length_upto_4: s32[B]) { %y = OP(%x, %length_upto_4) return %y }",
        "graph(%x: f32[3,B], %length_upto_4: s32[B]) { %y = OP(%x, %length_upto_4) return %y }",
        "graph(%x: f32[T,B,2], %length_upto_4: s32[B]) { %o, %places = "
        "length_order(%length_upto_4) "
        "%y = OP(%x, %length_upto_4; %places) return %y }",
        "graph(%x: f32[B,T,2], %length_upto_4: s32[B]) { %y = OP(%x, %length_upto_4) "
        "{by_sequence=true} return %y }",
        "graph(%x: f32[B,T,2], %length_upto_4: s32[B]) { %o, %places = "
        "length_order(%length_upto_4) "
        "%y = OP(%x, %length_upto_4; %places) {by_sequence=true} return %y }"}},
      // Two keys at least: one alone has a weight of 1 and gradients of exactly 0.
      {&ops::packed_attention,
       {"graph(%q: f32[B*3,2,$K], %k: f32[B*4,2,$K], %v: f32[B*4,2,3], %m_upto_4: s32[B], "
        "%n_upto_4: s32[B]) {"
        " %two = constant() {dtype=s32, shape=[], values=[2]} %n = maximum(%n_upto_4, %two)"
        " %y0, %y1 = OP(%q, %k, %v, %m_upto_4, %n) {queries=3, keys=4, scale=0.7, lse=true} "
        "return %y0, %y1 }",
        "graph(%q: f32[B*T,2,$K], %k: f32[B*T,2,$K], %v: f32[B*T,2,3], %n_upto_4: s32[B], "
        "%bias: f32[2,T,T], %step_below_9: s64[], %rows_below_99: s64[B]) {"
        " %y = OP(%q, %k, %v, %n_upto_4, %n_upto_4; ; %bias; %step_below_9; %rows_below_99) "
        "{queries=T, keys=T, band=[-1, 0], keep=0.8, stream=5, inner_axes=[-3, -2, -1]} return %y "
        "}",
        "graph(%q: f32[B*3,2,$K], %k: f32[B*S,2,$K], %v: f32[B*S,2,3], %m_upto_4: s32[B], "
        "%n_upto_4: s32[B], %mask: pred[B,1,1,S]) {"
        " %y = OP(%q, %k, %v, %m_upto_4, %n_upto_4; %mask) {queries=3, keys=S} return %y }"}},
      {&ops::packed_attention_grad,
       {"graph(%do: f32[B*3,2,3], %q: f32[B*3,2,$K], %k: f32[B*4,2,$K], %v: f32[B*4,2,3], "
        "%m_upto_4: s32[B], %n_upto_4: s32[B]) {"
        " %two = constant() {dtype=s32, shape=[], values=[2]} %n = maximum(%n_upto_4, %two)"
        " %m = maximum(%m_upto_4, %two)"
        " %o, %l = packed_attention(%q, %k, %v, %m, %n) {queries=3, keys=4, scale=0.7, lse=true}"
        " %y0, %y1, %y2 = OP(%do, %q, %k, %v, %o, %l, %m, %n) {queries=3, keys=4, scale=0.7, "
        "wanted=[\"q\", \"k\", \"v\"]} return %y0, %y1, %y2 }",
        "graph(%do: f32[B*T,2,3], %q: f32[B*T,2,$K], %k: f32[B*T,2,$K], %v: f32[B*T,2,3], "
        "%n_upto_4: s32[B], %bias: f32[2,T,T], %step_below_9: s64[], %rows_below_99: s64[B]) {"
        " %two = constant() {dtype=s32, shape=[], values=[2]} %n = maximum(%n_upto_4, %two)"
        " %o, %l = packed_attention(%q, %k, %v, %n, %n; ; %bias; %step_below_9; %rows_below_99) "
        "{queries=T, keys=T, band=[1, 0], keep=0.8, stream=5, inner_axes=[-3, -2, -1], lse=true}"
        " %y0, %y1 = OP(%do, %q, %k, %v, %o, %l, %n, %n; ; %bias; %step_below_9; %rows_below_99) "
        "{queries=T, keys=T, band=[1, 0], keep=0.8, stream=5, inner_axes=[-3, -2, -1], "
        "wanted=[\"v\", \"bias\"]} return %y0, %y1 }",
        "graph(%do: f32[B*T,2,3], %q: f32[B*T,2,$K], %k: f32[B*T,2,$K], %v: f32[B*T,2,3], "
        "%n_upto_4: s32[B], %bias: f32[2,2*T-1]) {"
        " %two = constant() {dtype=s32, shape=[], values=[2]} %n = maximum(%n_upto_4, %two)"
        " %o, %l = packed_attention(%q, %k, %v, %n, %n; ; %bias) "
        "{queries=T, keys=T, by_distance=true, lse=true}"
        " %y0, %y1 = OP(%do, %q, %k, %v, %o, %l, %n, %n; ; %bias) "
        "{queries=T, keys=T, by_distance=true, wanted=[\"k\", \"bias\"]} return %y0, %y1 }"}},
      {&ops::unpack,
       {"graph(%x: f32[T*B,$N,2], %length_upto_4: s32[B]) { %y = OP(%x, %length_upto_4) {steps=T} "
        "return %y }",
        "graph(%x: f32[3*B], %length_upto_4: s32[B]) { %y = OP(%x, %length_upto_4) {steps=3} "
        "return %y }",
        "graph(%x: f32[T*B,2], %length_upto_4: s32[B]) { %o, %places = "
        "length_order(%length_upto_4) "
        "%y = OP(%x, %length_upto_4; %places) {steps=T} return %y }",
        "graph(%x: f32[T*B,2], %length_upto_4: s32[B]) { %y = OP(%x, %length_upto_4) {steps=T, "
        "by_sequence=true} return %y }",
        "graph(%x: f32[T*B,2], %length_upto_4: s32[B]) { %o, %places = "
        "length_order(%length_upto_4) "
        "%y = OP(%x, %length_upto_4; %places) {steps=T, by_sequence=true} return %y }"}},
      {&ops::scatter_add,
       {"graph(%x: f32[5,$N], %i_below_5: s32[$M], %u: f32[$M,$N]) { %y = OP(%x, %i_below_5, %u) "
        "{axis=0} return %y }",
        "graph(%x: f32[B,$N,4], %i_below_4: s64[B,$M], %u: f32[B,$N,$M]) { %y = OP(%x, %i_below_4, "
        "%u) {axis=2, batch=1} return %y }"}},
      {&ops::select,
       {"graph(%c: pred[$M,$N], %a: f32[$M,$N], %b: f32[$M,$N]) { %y = OP(%c, %a, %b) return %y }",
        "graph(%c: pred[$M,1], %a: f32[$N], %b: f32[]) { %y = OP(%c, %a, %b) return %y }"}},
      {&ops::sgd_update,
       {"graph(%p: f32[$M,$N], %g: f32[$M,$N], %lr: f32[]) { %p1 = OP(%p; %g; ; %lr) return %p1 }",
        "graph(%p: f32[$M,$N], %g: f32[$M,$N], %m: f32[$M,$N], %lr: f32[]) {"
        " %p1, %m1 = OP(%p; %g; %m; %lr) {momentum=0.9} return %p1, %m1 }",
        "graph(%p: f32[$M], %g: f32[$M], %m: f32[$M], %lr: f32[], %scale: f32[]) {"
        " %p1, %m1 = OP(%p; %g; %m; %lr; %scale) {momentum=0.9, nesterov=true, decay=0.1} return "
        "%p1, %m1 }"}},
      {&ops::sigmoid, all(kUnary)},
      {&ops::sign, all(kUnary)},
      {&ops::silu, all(kUnary)},
      {&ops::sin, all(kUnary)},
      {&ops::slice,
       {"graph(%x: f32[$M,5]) { %y = OP(%x) {axis=1, start=1, stop=4} return %y }",
        "graph(%x: f32[7,$N]) { %y = OP(%x) {axis=0, start=1, stop=6, step=2} return %y }",
        "graph(%x: f32[8,$N]) { %y = OP(%x) {axis=0, start=0, stop=8, step=3} return %y }",
        "graph(%x: f32[$M,2*T+1]) { %y = OP(%x) {axis=1, start=1, stop=2*T+1, step=2} return %y }",
        "graph(%x: f32[$M,T+S,2]) { %y = OP(%x) {axis=1, start=T, stop=T+S} return %y }"}},
      {&ops::softmax, all(kAlong)},
      {&ops::softmax_cross_entropy,
       {"graph(%x: f32[$M,6], %i_below_6: s32[$M]) { %y0, %y1 = OP(%x, %i_below_6) return %y0, %y1 "
        "}",
        "graph(%x: f32[B,T,5], %i_below_5: s64[B,T], %w: f32[B,T]) { %y0, %y1 = OP(%x, %i_below_5; "
        "%w) {smoothing=0.2} return %y0, %y1 }"}},
      {&ops::softmax_cross_entropy_grad,
       {"graph(%d: f32[$M], %x: f32[$M,6], %i_below_6: s32[$M]) { %loss, %l = "
        "softmax_cross_entropy(%x, %i_below_6)"
        " %y = OP(%d, %x, %i_below_6, %l) return %y }",
        "graph(%d: f32[B,T], %x: f32[B,T,5], %i_below_5: s64[B,T], %w: f32[B,T]) {"
        " %loss, %l = softmax_cross_entropy(%x, %i_below_5; %w) {smoothing=0.2}"
        " %y = OP(%d, %x, %i_below_5, %l; %w) {smoothing=0.2} return %y }"}},
      {&ops::softmax_grad,
       {"graph(%d: f32[$M,$N], %x: f32[$M,$N]) { %y = softmax(%x) %dx = OP(%d, %y) return %dx }",
        "graph(%d: f32[$M,T,$N], %x: f32[$M,T,$N]) { %y = softmax(%x) {axis=1} %dx = OP(%d, %y) "
        "{axis=1} return %dx }"}},
      {&ops::softplus, all(kUnary)},
      {&ops::sort,
       {"graph(%x: f32[$M,7]) { %y0, %y1 = OP(%x) return %y0, %y1 }",
        "graph(%x: f32[B,5,$M]) { %y0, %y1 = OP(%x) {axis=1, descending=true} return %y0, %y1 }",
        "graph(%x: s32[$M,T]) { %y0, %y1 = OP(%x) {axis=0} return %y0, %y1 }",
        "graph(%x: s32[60,$M]) { %y0, %y1 = OP(%x) {axis=0, descending=true} return %y0, %y1 }",
        "graph(%x: f32[$M,70]) { %y0, %y1 = OP(%x) return %y0, %y1 }"}},
      {&ops::sqrt, all(kUnaryPositive)},
      {&ops::squared_norm, {"graph(%a: f32[$M,$N], %b: f32[$K]) { %y = OP(%a, %b) return %y }"}},
      {&ops::stop_gradient, {"graph(%x: f32[$M,$N]) { %y = OP(%x) return %y }"}},
      {&ops::sub, all(kBinary)},
      {&ops::sum, all(kReduce)},
      {&ops::tanh, all(kUnary)},
      {&ops::top_k,
       {"graph(%x: f32[$M,7]) { %y0, %y1 = OP(%x) {k=3} return %y0, %y1 }",
        "graph(%x: f32[$M,B,5]) { %y0, %y1 = OP(%x) {k=5} return %y0, %y1 }",
        "graph(%x: s32[$M,6]) { %y0, %y1 = OP(%x) {k=2} return %y0, %y1 }",
        "graph(%x: f32[$M,2*T]) { %y0, %y1 = OP(%x) {k=T} return %y0, %y1 }"}},
      {&ops::transpose,
       {"graph(%x: f32[$M,$N,$K]) { %y = OP(%x) {perm=[2,0,1]} return %y }",
        "graph(%x: f32[B,$N]) { %y = OP(%x) {perm=[1,0]} return %y }"}},
      {&ops::update_slice,
       {"graph(%x: f32[$M,5], %u: f32[$M,2], %start_below_6: s32[]) { %y = OP(%x, %u, "
        "%start_below_6) {axis=1} return %y }",
        "graph(%x: f32[T,$N], %u: f32[1,$N], %start_below_2: s64[]) { %y = OP(%x, %u, "
        "%start_below_2) {axis=0} return %y }"}},
  };
}

std::string filled_in(std::string_view text, std::string_view op, std::mt19937_64& random) {
  constexpr std::array<int, 5> kSizes{1, 2, 3, 4, 5};
  std::array<int, 128> size{};
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '$') {
      int& n = size[static_cast<size_t>(text[++i])];
      if (n == 0) n = kSizes[random() % kSizes.size()];
      out += std::to_string(n);
    } else if (text.substr(i, 3) == "OP(") {
      out += op;
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

// N in a name that ends in _below_N (and N+1 in one that ends in _upto_N); 0: no such ending.
int64_t limit(std::string_view name) {
  for (const auto& [ending, more] :
       {std::pair(std::string_view("_below_"), 0), {std::string_view("_upto_"), 1}})
    if (const size_t at = name.find(ending); at != std::string_view::npos)
      return std::stoll(std::string(name.substr(at + ending.size()))) + more;
  return 0;
}

// Different values, evenly spread over [low, high] in random order, each away from the others and,
// as the number of them is even, from the middle.
std::vector<double> spread(size_t count, double low, double high, double shift,
                           std::mt19937_64& random) {
  const size_t even = count + count % 2 + 2;
  const double step = (high - low) / static_cast<double>(even);
  std::vector<double> values;
  for (size_t i = 0; i < even; ++i) values.push_back(low + (static_cast<double>(i) + shift) * step);
  std::shuffle(values.begin(), values.end(), random);
  values.resize(count);
  return values;
}

}  // namespace

std::vector<ir::Graph> samples(const ir::OpDef& op, uint64_t seed) {
  static const std::vector<Samples> table = make_table();
  std::vector<ir::Graph> graphs;
  std::mt19937_64 random(seed);
  for (const Samples& s : table)
    if (s.op == &op)
      for (const char* text : s.graphs)
        graphs.push_back(
            ir::parse(filled_in(text, op.name, random), std::string(op.name) + " sample"));
  return graphs;
}

ir::Bindings sample_bindings(const ir::Graph& graph, uint64_t seed) {
  ir::Bindings bindings;
  for (const std::string& symbol : graph.symbols())
    bindings[symbol] = 2 + static_cast<int64_t>((std::hash<std::string>()(symbol) + seed) % 3);
  return bindings;
}

std::vector<ir::Array> sample_arguments(const ir::Graph& graph, const ir::Bindings& bindings,
                                        uint64_t seed, ir::DType floats) {
  std::vector<ir::Array> arrays;
  std::mt19937_64 random(seed * 7919 + 17);
  for (const ir::Argument& argument : graph.arguments()) {
    const ir::TensorType& type = graph.type(argument.value);
    const std::string& name = graph.info(argument.value).name;
    const bool is_float = ir::is_float(type.dtype);
    ir::Array array(is_float ? floats : type.dtype, ir::values(type.shape, bindings));
    if (is_float) {
      const bool positive = name.starts_with("positive");
      // Each argument has its own place between the grid's points: no ties between arguments
      // either.
      const double shift = 0.3 + 0.4 * static_cast<double>(random() % 1000) / 1000;
      const std::vector<double> values =
          spread(static_cast<size_t>(array.size()), positive ? 0.4 : -1.6, positive ? 2 : 1.6,
                 shift, random);
      for (int64_t i = 0; i < array.size(); ++i) array.set(i, values[static_cast<size_t>(i)]);
    } else {
      const int64_t below = limit(name);
      for (int64_t i = 0; i < array.size(); ++i) {
        const auto word = static_cast<int64_t>(random() >> 1);
        array.set_integer(i, type.dtype == ir::DType::pred ? word % 2
                             : below > 0                   ? word % below
                                                           : word % 19 - 9);
      }
    }
    arrays.push_back(std::move(array));
  }
  return arrays;
}

}  // namespace weft::tests
