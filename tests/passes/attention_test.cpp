// tests/passes/attention_test.cpp -- score, mask, softmax and weighted sum become one op.
#include "autodiff/gradient.h"
#include "ir/text/text.h"
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

using namespace weft;
using namespace weft::test;

namespace {

constexpr const char* kPasses = "canonicalize fuse_attention canonicalize";

void becomes(const std::string& arguments, const std::string& before, const std::string& after,
             const ir::Bindings& sizes = {}) {
  const std::string open = "graph(" + arguments + ") {\n", close = "\n}";
  check_rewrite(kPasses, open + before + close, open + after + close);
  const ir::Graph plain = ir::parse(open + before + close), fused = run(kPasses, plain);
  check_same_values(plain, fused, sizes);
  // The adjoint of the fused op against that of what it came from, for every result.
  for (const ir::Output& o : plain.outputs()) {
    const auto slopes = [&](const ir::Graph& g) {
      return autodiff::gradient(g, o.name, autodiff::float_arguments(g), {.cotangent = true});
    };
    check_same_values(slopes(plain), slopes(fused), sizes);
  }
}

// Nothing fuses; the near miss says why.
void holds_back(const std::string& text, std::string_view why) {
  ir::PassContext context;
  const ir::Graph graph = run("canonicalize", ir::parse(text, "user.ir"));
  const ir::Graph after = run("fuse_attention", graph, &context);
  CHECK(ir::canonical_text(after) == ir::canonical_text(graph));
  INFO("notes: " << (context.notes.empty() ? "none" : context.notes[0].text));
  CHECK(noted(context, ir::Note::Kind::near_miss, why));
}

constexpr const char* kOne =
    "%q: f32[B,A], %k: f32[B,S,A], %h: f32[B,S,E], %m: pred[B,S], %va: f32[A]";
constexpr const char* kAll =
    "%q: f32[B,T,D], %k: f32[B,S,D], %v: f32[B,S,E], %l: s32[B], %va: f32[D]";

}  // namespace

TEST_CASE("fuse_attention: additive, one query, masked (Bahdanau et al. 2015)") {
  becomes(kOne, R"(
    %q1 = reshape(%q) {shape=[B,1,A]}  %u = add(%q1, %k)  %p = tanh(%u)  %pv = mul(%p, %va)  %e = sum(%pv) {axes=[-1]}
    %em = select(%m, %e, -inf)  %a = softmax(%em)
    %a1 = reshape(%a) {shape=[B,S,1]}  %ah = mul(%a1, %h)  %c = sum(%ah) {axes=[-2]}  return %c)",
          "%c = attention(%q, %k, %h; %va; %m) {score=\"additive\"} return %c");
}

TEST_CASE(
    "fuse_attention: additive with v_a as a matrix, keys first, bias on the sum, weights wanted") {
  becomes("%q: f32[B,A], %k: f32[B,S,A], %h: f32[B,S,E], %b: f32[A], %va: f32[A,1]", R"(
    %q1 = reshape(%q) {shape=[B,1,A]}  %u = add(%k, %q1)  %ub = add(%u, %b)  %p = tanh(%ub)  %e1 = matmul(%p, %va)
    %a1 = softmax(%e1) {axis=1}  %ah = mul(%h, %a1)  %c = sum(%ah) {axes=[1]}  return %c, %a1)",
          R"(
    %b1 = add(%q, %b)  %v = reshape(%va) {shape=[A]}
    %c, %a = attention(%b1, %k, %h; %v) {score="additive", weights=true}  %a1 = reshape(%a) {shape=[B,S,1]}  return %c, %a1)");
}

TEST_CASE("fuse_attention: additive over a whole sequence") {
  becomes(kAll, R"(
    %q1 = reshape(%q) {shape=[B,T,1,D]}  %k1 = reshape(%k) {shape=[B,1,S,D]}  %u = add(%q1, %k1)  %p = tanh(%u)
    %pv = mul(%va, %p)  %e = sum(%pv) {axes=[-1]}
    %m = length_mask(%l) {size=S}  %m1 = reshape(%m) {shape=[B,1,S]}  %em = select(%m1, %e, -inf)
    %a = softmax(%em)  %c = matmul(%a, %v)  return %c)",
          R"(
    %m = length_mask(%l) {size=S}  %m1 = reshape(%m) {shape=[B,1,S]}
    %c = attention(%q, %k, %v; %va; %m1) {score="additive"} return %c)");
}

TEST_CASE("fuse_attention: dot, scaled, masked by lengths and by position, multiplied or divided") {
  becomes(kAll, R"(
    %e = matmul(%q, %k) {transpose_b=true}  %es = mul(%e, 0.5)
    %m = length_mask(%l) {size=S}  %m1 = reshape(%m) {shape=[B,1,S]}  %em = select(%m1, %es, -inf)
    %a = softmax(%em)  %c = matmul(%a, %v)  return %c)",
          R"(
    %m = length_mask(%l) {size=S}  %m1 = reshape(%m) {shape=[B,1,S]}
    %c = attention(%q, %k, %v; ; %m1) {scale=0.5} return %c)");
  becomes("%q: f32[B,T,4], %k: f32[B,S,4], %m: pred[T,S], %n: pred[B,1,S]", R"(
    %e = matmul(%q, %k) {transpose_b=true}  %d = dim_size(%q) {axis=-1, dtype=f32}  %r = mul(%d, 0.5)  %es = div(%e, %r)
    %e1 = select(%m, -inf, %es)  %e2 = select(%n, %e1, -inf)  %a = softmax(%e2)  %c = matmul(%a, %k)  return %c)",
          R"(
    %r = mul(4, 0.5)  %q1 = div(%q, %r)  %nm = logical_not(%m)  %all = logical_and(%n, %nm)
    %c = attention(%q1, %k, %k; ; %all)  return %c)");
}

TEST_CASE("fuse_attention: dot of one query in all its spellings") {
  const char* after = "%c = attention(%q, %k, %h; ; %m) return %c";
  becomes(kOne, R"(
    %q1 = reshape(%q) {shape=[B,1,A]}  %qk = mul(%q1, %k)  %e = sum(%qk) {axes=[-1]}  %em = select(%m, %e, -inf)  %a = softmax(%em)
    %a1 = reshape(%a) {shape=[B,S,1]}  %ah = mul(%a1, %h)  %c = sum(%ah) {axes=[-2]}  return %c)",
          after);
  becomes(kOne, R"(
    %q1 = reshape(%q) {shape=[B,1,A]}  %e1 = matmul(%q1, %k) {transpose_b=true}  %e = reshape(%e1) {shape=[B,S]}
    %em = select(%m, %e, -inf)  %a = softmax(%em)
    %a1 = reshape(%a) {shape=[B,1,S]}  %c1 = matmul(%a1, %h)  %c = reshape(%c1) {shape=[B,E]}  return %c)",
          after);
  becomes(kOne, R"(
    %q1 = reshape(%q) {shape=[B,A,1]}  %e1 = matmul(%k, %q1)  %e = reshape(%e1) {shape=[B,S]}
    %em = select(%m, %e, -inf)  %a = softmax(%em)
    %a1 = reshape(%a) {shape=[B,S,1]}  %c1 = matmul(%h, %a1) {transpose_a=true}  %c = reshape(%c1) {shape=[B,E]}  return %c)",
          after);
  becomes(kOne, R"(
    %q1 = reshape(%q) {shape=[B,1,A]}  %m1 = reshape(%m) {shape=[B,1,S]}  %e = matmul(%q1, %k) {transpose_b=true}
    %em = select(%m1, %e, -inf)  %a = softmax(%em)  %c1 = matmul(%a, %h)  %c = reshape(%c1) {shape=[B,E]}  return %c)",
          after);
}

TEST_CASE("fuse_attention: general score, projected keys stay where they are") {
  becomes("%s: f32[B,H], %h: f32[B,S,E], %W: f32[E,H]", R"(
    %k = matmul(%h, %W)  %s1 = reshape(%s) {shape=[B,1,H]}  %sk = mul(%s1, %k)  %e = sum(%sk) {axes=[-1]}  %a = softmax(%e)
    %a1 = reshape(%a) {shape=[B,S,1]}  %ah = mul(%a1, %h)  %c = sum(%ah) {axes=[1]}  return %c)",
          "%k = matmul(%h, %W)  %c = attention(%s, %k, %h)  return %c");
}

TEST_CASE("fuse_attention: concat score (Luong et al. 2015) is an additive one") {
  becomes("%s: f32[B,H], %h: f32[B,S,E], %W: f32[H+E,A], %v: f32[A]", R"(
    %s1 = reshape(%s) {shape=[B,1,H]}  %sb = broadcast(%s1) {shape=[B,S,H]}  %sh = concat(%sb, %h) {axis=-1}
    %u = matmul(%sh, %W)  %t = tanh(%u)  %tv = mul(%t, %v)  %e = sum(%tv) {axes=[-1]}  %a = softmax(%e)
    %a1 = reshape(%a) {shape=[B,S,1]}  %ah = mul(%a1, %h)  %c = sum(%ah) {axes=[1]}  return %c)",
          R"(
    %w1 = slice(%W) {axis=0, start=0, stop=H}  %q1 = matmul(%s, %w1)
    %w2 = slice(%W) {axis=0, start=H, stop=H+E}  %k = matmul(%h, %w2)
    %c = attention(%q1, %k, %h; %v) {score="additive"}  return %c)");
}

TEST_CASE("fuse_attention: heads, a bias, and weights that are read") {
  becomes("%q: f32[B,2,T,3], %k: f32[B,2,S,3], %v: f32[B,2,S,3], %r: f32[2,T,S], %m: pred[B,1,1,S]",
          R"(
    %e = matmul(%q, %k) {transpose_b=true}  %es = mul(0.25, %e)  %eb = add(%r, %es)  %em = select(%m, %eb, -inf)
    %a = softmax(%em)  %c = matmul(%a, %v)  return %c, %a)",
          "%c, %a = attention(%q, %k, %v; ; %m; %r) {scale=0.25, weights=true}  return %c, %a");
}

TEST_CASE("fuse_attention: heads split and transposed, scaled queries, masks by `and`, causal") {
  becomes("%q: f32[B,T,8], %k: f32[B,S,8], %v: f32[B,S,8], %l: s32[B]", R"(
    %q1 = reshape(%q) {shape=[B,T,2,4]}  %qh = transpose(%q1) {perm=[0,2,1,3]}  %qs = mul(%qh, 0.5)
    %k1 = reshape(%k) {shape=[B,S,2,4]}  %kh = transpose(%k1) {perm=[0,2,3,1]}
    %v1 = reshape(%v) {shape=[B,S,2,4]}  %vh = transpose(%v1) {perm=[0,2,1,3]}
    %e = matmul(%qs, %kh)
    %m = length_mask(%l) {size=S}  %m1 = reshape(%m) {shape=[B,1,1,S]}
    %i = iota() {shape=[T,1], dtype=s32}  %j = iota() {shape=[S], dtype=s32}  %c = greater_equal(%i, %j)
    %mc = logical_and(%m1, %c)  %em = select(%mc, %e, -inf)  %a = softmax(%em)
    %o = matmul(%a, %vh)  %ot = transpose(%o) {perm=[0,2,1,3]}  %r = reshape(%ot) {shape=[B,T,8]}  return %r)",
          R"(
    %q1 = reshape(%q) {shape=[B,T,2,4]}  %qh = transpose(%q1) {perm=[0,2,1,3]}  %qs = mul(%qh, 0.5)
    %k1 = reshape(%k) {shape=[B,S,2,4]}  %kh = transpose(%k1) {perm=[0,2,1,3]}
    %v1 = reshape(%v) {shape=[B,S,2,4]}  %vh = transpose(%v1) {perm=[0,2,1,3]}
    %m = length_mask(%l) {size=S}  %m1 = reshape(%m) {shape=[B,1,1,S]}
    %o = attention(%qs, %kh, %vh; ; %m1) {band=[-1, 0]}
    %ot = transpose(%o) {perm=[0,2,1,3]}  %r = reshape(%ot) {shape=[B,T,8]}  return %r)");
}

TEST_CASE("fuse_attention: a causal mask in all its spellings") {
  for (const char* mask :
       {"%c = less_equal(%j, %i)", "%n = less(%i, %j) %c = logical_not(%n)",
        "%n = greater(%j, %i) %c1 = logical_not(%n) %c = reshape(%c1) {shape=[1,T,S]}"})
    becomes(
        "%q: f32[B,T,D], %k: f32[B,S,D]",
        std::string(R"(
    %e = matmul(%q, %k) {transpose_b=true}
    %i0 = iota() {shape=[T], dtype=s32}  %i = reshape(%i0) {shape=[T,1]}  %j = iota() {shape=[1,S], axis=1, dtype=s32}
    )") + mask +
            R"(  %em = select(%c, %e, -inf)  %a = softmax(%em)  %o = matmul(%a, %k)  return %o)",
        "%o = attention(%q, %k, %k) {band=[-1, 0]} return %o");
  becomes("%q: f32[B,T,D], %k: f32[B,S,D]", R"(
    %e = matmul(%q, %k) {transpose_b=true}
    %i = iota() {shape=[T,1], dtype=s32}  %j = iota() {shape=[S], dtype=s32}  %c = greater(%i, %j)
    %em = select(%c, %e, -inf)  %a = softmax(%em)  %o = matmul(%a, %k)  return %o)",
          R"(
    %i = iota() {shape=[T,1], dtype=s32}  %j = iota() {shape=[S], dtype=s32}  %c = greater(%i, %j)
    %o = attention(%q, %k, %k; ; %c) return %o)");
}

TEST_CASE("fuse_attention: a sliding window beside masks of lengths and a bias") {
  becomes("%q: f32[B,2,T,D], %k: f32[B,2,S,D], %l: s32[B], %b: f32[2,T,S]", R"(
    %e = matmul(%q, %k) {transpose_b=true}  %eb = add(%e, %b)
    %i0 = iota() {shape=[T], dtype=s32}  %i = reshape(%i0) {shape=[T,1]}  %j = iota() {shape=[S], dtype=s32}
    %d = sub(%j, %i)  %n = greater_equal(%d, -2)  %f = less_equal(%d, 1)  %w = logical_and(%n, %f)
    %m = length_mask(%l) {size=S}  %m1 = reshape(%m) {shape=[B,1,1,S]}  %both = logical_and(%m1, %w)
    %em = select(%both, %eb, -inf)  %a = softmax(%em)  %o = matmul(%a, %k)  return %o, %a)",
          R"(
    %m = length_mask(%l) {size=S}  %m1 = reshape(%m) {shape=[B,1,1,S]}
    %o, %a = attention(%q, %k, %k; ; %m1; %b) {band=[2, 1], weights=true}  return %o, %a)",
          {{"B", 2}, {"T", 6}, {"S", 7}, {"D", 3}});
}

TEST_CASE("fuse_attention: additive scores of many queries near them") {
  becomes(kAll, R"(
    %q1 = reshape(%q) {shape=[B,T,1,D]}  %k1 = reshape(%k) {shape=[B,1,S,D]}  %u = add(%q1, %k1)  %p = tanh(%u)
    %pv = mul(%p, %va)  %e = sum(%pv) {axes=[-1]}
    %i0 = iota() {shape=[T], dtype=s32}  %i = reshape(%i0) {shape=[T,1]}  %j = iota() {shape=[S], dtype=s32}
    %d = sub(%j, %i)  %n = abs(%d)  %w = less(%n, 3)
    %em = select(%w, %e, -inf)  %a = softmax(%em)  %o = matmul(%a, %v)  return %o)",
          "%o = attention(%q, %k, %v; %va) {score=\"additive\", band=[2, 2]}  return %o");
}

TEST_CASE(
    "fuse_attention: additive scores of one sentence, whose leading axis broadcasts by itself") {
  becomes("%q: f32[1,T,D], %k: f32[1,S,D], %v: f32[1,S,E], %va: f32[D]", R"(
    %q1 = reshape(%q) {shape=[1,T,1,D]}  %k1 = reshape(%k) {shape=[1,1,S,D]}  %u = add(%q1, %k1)  %p = tanh(%u)
    %pv = mul(%p, %va)  %e = sum(%pv) {axes=[-1]}  %a = softmax(%e)  %o = matmul(%a, %v)  return %o)",
          "%o = attention(%q, %k, %v; %va) {score=\"additive\"}  return %o");
}

TEST_CASE("fuse_attention: a mask that is nearly a band is kept, and said to be") {
  ir::PassContext context;
  const ir::Graph after = run("canonicalize fuse_attention",
                              ir::parse(R"(graph(%q: f32[B,T,D], %k: f32[B,S,D]) {
    %e = matmul(%q, %k) {transpose_b=true}
    %i = iota() {shape=[T,1], dtype=s32}  %j = iota() {shape=[S], dtype=s32}
    %before = greater(%i, %j)
    %em = select(%before, %e, -inf)  %a = softmax(%em)  %o = matmul(%a, %k)  return %o })",
                                        "user.ir"),
                              &context);
  CHECK(ir::print(after).find("attention(%q, %k, %k; ; %before)") != std::string::npos);
  CHECK(noted(context, ir::Note::Kind::near_miss,
              "mask %before, made at user.ir:4 is no band, all keys are read: the nearest key it "
              "shows is 1 behind its query"));
}

TEST_CASE("fuse_attention: masks as sums of 0 and -inf, biases of which one is scaled") {
  becomes("%q: f32[B,T,D], %k: f32[B,S,D], %m: pred[B,1,S], %b: f32[T,S], %c: f32[B,1,S]", R"(
    %e = matmul(%q, %k) {transpose_b=true}  %eb = add(%e, %b)  %es = mul(%eb, 0.5)
    %z = select(%m, 0.0, -inf)  %em = add(%es, %z)  %ec = add(%em, %c)
    %a = softmax(%ec)  %o = matmul(%a, %k)  return %o)",
          R"(
    %b1 = mul(%b, 0.5)  %b2 = add(%c, %b1)
    %o = attention(%q, %k, %k; ; %m; %b2) {scale=0.5} return %o)");
}

TEST_CASE("fuse_attention: learned biases of relative positions (Raffel et al. 2020)") {
  const char* bias = "%g = gather(%w, %n) {axis=0}  %b = transpose(%g) {perm=[2,0,1]}  ";
  becomes("%q: f32[B,2,T,D], %k: f32[B,2,S,D], %w: f32[4,2], %n: s32[T,S]",
          std::string(bias) +
              "%e = matmul(%q, %k) {transpose_b=true}  %eb = add(%e, %b)  %a = softmax(%eb)  %o = "
              "matmul(%a, %k)  return %o",
          std::string(bias) + "%o = attention(%q, %k, %k; ; ; %b) return %o");
}

TEST_CASE("fuse_attention: dropout on the weights, drawn in the weights' order or by position") {
  const std::string arguments =
      "%q: f32[B,2,T,D], %k: f32[B,2,S,D], %v: f32[B,2,S,E], %t: s64[], %r: s64[B]";
  const std::string head = "%e = matmul(%q, %k) {transpose_b=true}  %a = softmax(%e) ";
  becomes(
      arguments, head + R"(
    %n = random(%t, %r) {stream=3, inner=[2,T,S], form="keep", keep=0.75}
    %as = mul(%a, 1.3333333333333333)  %ad = select(%n, %as, 0.0)  %o = matmul(%ad, %v)  return %o)",
      R"(%o = attention(%q, %k, %v; ; ; ; %t; %r) {keep=0.75, stream=3, inner_axes=[-3,-2,-1]} return %o)");
  becomes(arguments, head + R"(
    %p = iota() {shape=[T], dtype=s32}  %n = random(%t, %r; %p) {stream=3, inner=[S,2], form="keep", keep=0.5}
    %nt = transpose(%n) {perm=[1,3,0,2]}
    %as = select(%nt, %a, 0.0)  %ad = mul(2.0, %as)  %o = matmul(%ad, %v)  return %o, %a)",
          R"(%p = iota() {shape=[T], dtype=s32}
             %o, %a = attention(%q, %k, %v; ; ; ; %t; %r; %p) {keep=0.5, stream=3, inner_axes=[-1,-3], weights=true} return %o, %a)");
}

TEST_CASE("fuse_attention: dropout that is none, and dropped weights that are read, hold it back") {
  const std::string head =
      "graph(%q: f32[B,T,D], %k: f32[B,S,D], %t: s64[], %r: s64[B]) { %e = matmul(%q, %k) "
      "{transpose_b=true}  %a = softmax(%e) %n = random(%t, %r) {stream=3, inner=[T,S], "
      "form=\"keep\", keep=0.75} ";
  holds_back(
      head + "%as = mul(%a, 1.5) %ad = select(%n, %as, 0.0) %o = matmul(%ad, %k) return %o }",
      "keeps 0.75 of the weights but multiplies them by 1.5");
  holds_back(
      head + "%as = div(%a, 0.75) %ad = select(%n, %as, 0.0) %o = matmul(%ad, %k) return %o, %ad }",
      "is read elsewhere, by a result of the graph");
}

TEST_CASE("fuse_attention: inside a loop") {
  const char* head =
      "graph(%s0: f32[B,A], %h: f32[B,S,A]) { %sN = scan(%s0; ; %h) {steps=T} (%s, %h) { ";
  check_rewrite(kPasses, std::string(head) + R"(
    %s1 = reshape(%s) {shape=[B,1,A]}  %sh = mul(%s1, %h)  %e = sum(%sh) {axes=[-1]}  %a = softmax(%e)
    %a1 = reshape(%a) {shape=[B,S,1]}  %ah = mul(%a1, %h)  %c = sum(%ah) {axes=[1]}  yield %c } return %sN })",
                std::string(head) + "%c = attention(%s, %h, %h) yield %c } return %sN }");
}

TEST_CASE("fuse_attention: rows without any key keep their zeros") {
  const std::string text = R"(graph(%q: f32[B,T,D], %k: f32[B,S,D], %l: s32[B]) {
    %e = matmul(%q, %k) {transpose_b=true}  %z = sub(%l, %l)  %m = length_mask(%z) {size=S}  %m1 = reshape(%m) {shape=[B,1,S]}
    %em = select(%m1, %e, -inf)  %a = softmax(%em)  %c = matmul(%a, %k)  return %c, %a })";
  check_keeps_values(kPasses, text);
}

TEST_CASE("fuse_attention: raw scores that are read elsewhere hold it back") {
  holds_back(R"(graph(%q: f32[B,T,D], %k: f32[B,S,D], %v: f32[B,S,E]) {
    %e = matmul(%q, %k) {transpose_b=true}  %a = softmax(%e)  %c = matmul(%a, %v)  return %c, %e })",
             "%e, made at user.ir:2 is read elsewhere, by a result of the graph");
  holds_back(R"(graph(%q: f32[B,T,D], %k: f32[B,S,D], %v: f32[B,S,E]) {
    %e = matmul(%q, %k) {transpose_b=true}  %a = softmax(%e)  %c = matmul(%a, %v)  %t = tanh(%e)  return %c, %t })",
             "is read elsewhere, by 'tanh' %t");
}

TEST_CASE(
    "fuse_attention: masks that widen the scores, unknown scores and unread weights hold it back") {
  holds_back(R"(graph(%q: f32[1,T,D], %k: f32[1,S,D], %m: pred[B,1,S]) {
    %e = matmul(%q, %k) {transpose_b=true}  %em = select(%m, %e, -inf)  %a = softmax(%em)  %c = matmul(%a, %k)  return %c })",
             "widens the scores");
  holds_back(
      "graph(%e: f32[B,T,S], %v: f32[B,S,E], %m: pred[B,1,S]) {\n %x = exp(%e) %em = select(%m, "
      "%x, -inf) %a = softmax(%em) %c = matmul(%a, %v) return %c }",
      "neither a dot nor an additive score");
  for (const char* mask : {"select(%m, %e, -1e9)", "select(%m, -1e9, %e)"})
    holds_back(
        std::string("graph(%q: f32[B,T,D], %k: f32[B,S,D], %m: pred[B,1,S]) {\n %e = "
                    "matmul(%q, %k) {transpose_b=true} %em = ") +
            mask + " %a = softmax(%em) %c = matmul(%a, %k) return %c }",
        "%em, made at user.ir:2 hides with -1e+09, -inf would fuse: queries that see nothing "
        "then get zeros, not the mean of all values");
  holds_back(
      "graph(%q: f32[B,T,D], %k: f32[B,S,D]) {\n %e = matmul(%q, %k) {transpose_b=true} %a = "
      "softmax(%e) return %a }",
      "nothing sums values");
}

TEST_CASE("fuse_attention: a softmax that attends to nothing is silent") {
  ir::PassContext context;
  const ir::Graph graph = ir::parse(
      "graph(%x: f32[B,T,H], %W: f32[H,V]) { %e = matmul(%x, %W) %a = softmax(%e) return %a }");
  CHECK(ir::canonical_text(run("fuse_attention", graph, &context)) == ir::canonical_text(graph));
  CHECK(context.notes.empty());
}

TEST_CASE("fuse_attention: says what was fused, in the user's names and lines") {
  ir::PassContext context;
  run("fuse_attention",
      ir::parse(
          "graph(%q: f32[B,T,D], %k: f32[B,S,D]) {\n %e = matmul(%q, %k) {transpose_b=true}\n %a = "
          "softmax(%e) // decoder/attention\n %c = matmul(%a, %k)\n return %c }",
          "decoder.ir"),
      &context);
  CHECK(noted(context, ir::Note::Kind::done,
              "decoder.ir:3 decoder/attention: softmax %a and 2 more became attention (dot)"));
}

TEST_CASE("fuse_attention: a bias of distances stays one, whatever heads share it") {
  for (const std::string heads : {"2", "1"})
    becomes("%q: f32[B,2,T,D], %k: f32[B,2,S,D], %v: f32[B,2,S,E], %x: f32[" + heads + ",T+S-1]",
            R"(
    %b = by_distance(%x) {queries=T}  %e = matmul(%q, %k) {transpose_b=true}  %eb = add(%e, %b)
    %a = softmax(%eb)  %o = matmul(%a, %v)  return %o)",
            "%o = attention(%q, %k, %v; ; ; %x) {by_distance=true} return %o",
            {{"B", 2}, {"T", 3}, {"S", 4}, {"D", 3}, {"E", 2}});
}

TEST_CASE("fuse_attention: distances that are multiplied, and two tables of them, add up") {
  becomes(
      "%q: f32[B,2,T,D], %k: f32[B,2,T,D], %v: f32[B,2,T,E], %x: f32[2,2*T-1], %y: "
      "f32[2*T-1], %l: s32[B]",
      R"(
    %b = by_distance(%x) {queries=T}  %c = by_distance(%y) {queries=T}
    %e = matmul(%q, %k) {transpose_b=true}  %eb = add(%e, %b)  %es = mul(%eb, 0.5)
    %ec = add(%es, %c)  %a = softmax(%ec)  %o = matmul(%a, %v)  return %o)",
      R"(
    %z = mul(%x, 0.5)  %s = add(%y, %z)
    %o = attention(%q, %k, %v; ; ; %s) {scale=0.5, by_distance=true} return %o)",
      {{"B", 2}, {"T", 3}, {"D", 3}, {"E", 2}});
}

TEST_CASE("fuse_attention: layers that share a table of distances add up its gradient") {
  const ir::Graph plain = ir::parse(R"(
    graph(%q: f32[B,2,T,D], %k: f32[B,2,T,D], %x: f32[2,2*T-1]) {
      %b = by_distance(%x) {queries=T}
      %e = matmul(%q, %k) {transpose_b=true}  %eb = add(%e, %b)  %a = softmax(%eb)  %o = matmul(%a, %k)
      %f = matmul(%o, %k) {transpose_b=true}  %fb = add(%f, %b)  %c = softmax(%fb)  %p = matmul(%c, %k)
      return %p
    })");
  const ir::Graph fused = run(kPasses, plain);
  const auto slopes = [](const ir::Graph& g) {
    return autodiff::gradient(g, g.outputs()[0].name, autodiff::float_arguments(g),
                              {.cotangent = true});
  };
  check_same_values(slopes(plain), slopes(fused), {{"B", 2}, {"T", 4}, {"D", 3}});
}

TEST_CASE("fuse_attention: distances beside a bias of pairs are pairs") {
  becomes("%q: f32[B,T,D], %k: f32[B,T,D], %v: f32[B,T,E], %x: f32[2*T-1], %y: f32[T,T]", R"(
    %b = by_distance(%x) {queries=T}  %e = matmul(%q, %k) {transpose_b=true}  %eb = add(%e, %b)
    %ec = add(%eb, %y)  %a = softmax(%ec)  %o = matmul(%a, %v)  return %o)",
          R"(
    %b = by_distance(%x) {queries=T}  %s = add(%y, %b)
    %o = attention(%q, %k, %v; ; ; %s) return %o)",
          {{"B", 2}, {"T", 3}, {"D", 3}, {"E", 2}});
}
