// tests/onednn/attention_test.cpp -- attention over shapes, masks and layouts; NaN behind masks.
#include "ir/text/text.h"
#include "tests/onednn/compare.h"
#include "tests/support/op_samples.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>

using namespace weft;
using tests::check_same;

namespace {

// Leading axes like "B,2,", queries like "T," or "" for one, and a mask's shape or "".
std::string text(const std::string& lead, const std::string& queries, const std::string& mask,
                 bool additive, bool bias = false) {
  const std::string q = lead + queries, one = queries.empty() ? "" : queries;
  std::string g = "graph(%q: f32[" + q + "5], %k: f32[" + lead + "S,5], %v: f32[" + lead +
                  "S,3], %d: f32[" + q + "3], %dw: f32[" + one.substr(0, 0) + q + "S]";
  if (additive) g += ", %va: f32[5]";
  if (!mask.empty()) g += ", %m: pred[" + mask + "]";
  if (bias) g += ", %bias: f32[1,S]";
  const std::string optional = std::string(additive ? "; %va" : ";") +
                               (mask.empty() ? ";" : "; %m") + (bias ? "; %bias" : ";");
  const std::string score = additive ? "score=\"additive\"" : "score=\"dot\"";
  g += ") {\n %o, %w, %l = attention(%q, %k, %v" + optional + ") {" + score +
       ", scale=0.7, weights=true, lse=true}\n";
  const std::string wanted = std::string("\"q\", \"k\", \"v\"") + (additive ? ", \"v_a\"" : "") +
                             (bias ? ", \"bias\"" : "");
  g += " %dq, %dk, %dv" + std::string(additive ? ", %dva" : "") + (bias ? ", %db" : "") +
       " = attention_grad(%d, %q, %k, %v, %o, %l" + optional + "; %dw) {" + score +
       ", scale=0.7, wanted=[" + wanted + "]}\n";
  g += " return %o, %w, %l, %dq, %dk, %dv" + std::string(additive ? ", %dva" : "") +
       (bias ? ", %db" : "") + " }";
  return g;
}

}  // namespace

TEST_CASE("attention: leading axes, one query or many, masks that broadcast every way") {
  for (const bool additive : {false, true})
    for (const std::string lead : {"", "B,", "B,2,"}) {
      for (const std::string mask : {"", "S", "T,S", "1,S", "T,1"})
        check_same(text(lead, "T,", mask, additive), {.bindings = {{"B", 3}, {"T", 4}, {"S", 7}}});
      for (const std::string mask : {"", "S"})
        check_same(text(lead, "", mask, additive), {.bindings = {{"B", 3}, {"S", 7}}});
      if (lead == "B,")
        check_same(text(lead, "T,", "B,1,S", additive),
                   {.bindings = {{"B", 3}, {"T", 4}, {"S", 7}}});
      if (lead == "B,")
        check_same(text(lead, "", "B,S", additive), {.bindings = {{"B", 3}, {"S", 7}}});
      if (lead == "B,2,")
        check_same(text(lead, "T,", "B,1,1,S", additive),
                   {.bindings = {{"B", 3}, {"T", 4}, {"S", 7}}});
      if (lead == "B,2,")
        check_same(text(lead, "T,", "2,T,S", additive),
                   {.bindings = {{"B", 3}, {"T", 4}, {"S", 7}}});
      check_same(text(lead, "T,", "S", additive, true),
                 {.bindings = {{"B", 2}, {"T", 3}, {"S", 5}}});
    }
}

TEST_CASE("attention: sizes of 0 and 1") {
  for (const bool additive : {false, true})
    for (const auto& [b, t, s] :
         {std::array<int64_t, 3>{0, 3, 4}, {2, 0, 4}, {1, 1, 1}, {2, 1, 5}, {2, 3, 1}})
      check_same(text("B,", "T,", "B,1,S", additive), {.bindings = {{"B", b}, {"T", t}, {"S", s}}});
}

TEST_CASE("attention: NaN in values behind a mask of keys does not leak, NaN in front shows") {
  for (const bool additive : {false, true}) {
    const ir::Graph g = ir::parse(
        std::string("graph(%q: f32[2,3,4], %k: f32[2,5,4], %v: f32[2,5,3], %m: pred[2,1,5]") +
        (additive ? ", %a: f32[4]" : "") + ") { %o = attention(%q, %k, %v; " +
        (additive ? "%a" : "") + "; %m) {score=\"" + (additive ? "additive" : "dot") +
        "\"} return %o }");
    auto arguments = tests::sample_arguments(g, {}, 1, ir::DType::f32);
    for (int64_t i = 0; i < 10; ++i) arguments[3].set_integer(i, i % 5 < 3);
    for (int64_t c = 0; c < 3; ++c)
      arguments[2].set(4 * 3 + c, std::numeric_limits<double>::quiet_NaN());
    tests::check_same(g, arguments);
    arguments[2].set(0, std::numeric_limits<double>::quiet_NaN());
    CHECK(std::isnan(tests::run_onednn(g, arguments)[0].at(0)));
  }
}

TEST_CASE("attention: NaN in hidden keys and values reaches no gradient, fused or expanded") {
  for (const bool additive : {false, true}) {
    const std::string optional = additive ? "%a; %m" : "; %m",
                      attrs = additive ? "score=\"additive\", " : "";
    const ir::Graph g = ir::parse(
        "graph(%q: f32[2,3,4], %k: f32[2,5,4], %v: f32[2,5,3], %m: pred[2,1,5], %d: f32[2,3,3], "
        "%a: f32[4]) { %o, %l = attention(%q, %k, %v; " +
        optional + ") {" + attrs +
        "lse=true} %dq, %dk, %dv = attention_grad(%d, %q, %k, %v, %o, %l; " + optional + ") {" +
        attrs + "wanted=[\"q\", \"k\", \"v\"]} return %o, %dq, %dk, %dv }");
    auto arguments = tests::sample_arguments(g, {}, 1, ir::DType::f32);
    for (int64_t i = 0; i < 10; ++i) arguments[3].set_integer(i, i % 5 < 3);
    for (int64_t c = 0; c < 4; ++c)
      arguments[1].set(4 * 4 + c, std::numeric_limits<double>::quiet_NaN());
    for (int64_t c = 0; c < 3; ++c)
      arguments[2].set(4 * 3 + c, std::numeric_limits<double>::quiet_NaN());
    tests::check_same(g, arguments);
    for (const ir::Array& x : tests::run_onednn(g, arguments))
      for (int64_t i = 0; i < x.size(); ++i) CHECK(std::isfinite(x.at(i)));
  }
}

TEST_CASE("attention: operands that are views of a longer row") {
  check_same(R"(graph(%x: f32[B,T,12], %m: pred[B,1,T]) {
    %q = slice(%x) {axis=-1, start=0, stop=4}
    %k = slice(%x) {axis=-1, start=4, stop=8}
    %v = slice(%x) {axis=-1, start=8, stop=12}
    %o = attention(%q, %k, %v;; %m) {scale=0.5}
    return %o })",
             {.bindings = {{"B", 2}, {"T", 5}}});
  check_same(R"(graph(%x: f32[B,T,12], %m: pred[B,1,1,T]) {
    %r = reshape(%x) {shape=[B,T,3,2,2]}
    %t = transpose(%r) {perm=[2,0,3,1,4]}
    %q0 = slice(%t) {axis=0, start=0, stop=1}
    %k0 = slice(%t) {axis=0, start=1, stop=2}
    %v0 = slice(%t) {axis=0, start=2, stop=3}
    %q = reshape(%q0) {shape=[B,2,T,2]}
    %k = reshape(%k0) {shape=[B,2,T,2]}
    %v = reshape(%v0) {shape=[B,2,T,2]}
    %o = attention(%q, %k, %v;; %m)
    return %o })",
             {.bindings = {{"B", 2}, {"T", 5}}});
}

TEST_CASE("attention: heads in the user's layout are neither copied in nor out") {
  const std::string text = R"(graph(%x: f32[B,T,24], %l: s32[B], %d: f32[B,T,8]) {
    %q0 = slice(%x) {axis=-1, start=0, stop=8} %q1 = reshape(%q0) {shape=[B,T,2,4]} %q = transpose(%q1) {perm=[0,2,1,3]}
    %k0 = slice(%x) {axis=-1, start=8, stop=16} %k1 = reshape(%k0) {shape=[B,T,2,4]} %k = transpose(%k1) {perm=[0,2,1,3]}
    %v0 = slice(%x) {axis=-1, start=16, stop=24} %v1 = reshape(%v0) {shape=[B,T,2,4]} %v = transpose(%v1) {perm=[0,2,1,3]}
    %m = length_mask(%l) {size=T} %m1 = reshape(%m) {shape=[B,1,1,T]}
    %o, %s = attention(%q, %k, %v; ; %m1) {scale=0.5, causal=true, lse=true}
    %ot = transpose(%o) {perm=[0,2,1,3]} %r = reshape(%ot) {shape=[B,T,8]} %c = tanh(%r)
    %d1 = reshape(%d) {shape=[B,T,2,4]} %do = transpose(%d1) {perm=[0,2,1,3]}
    %dq, %dk, %dv = attention_grad(%do, %q, %k, %v, %o, %s; ; %m1) {scale=0.5, causal=true, wanted=["q", "k", "v"]}
    %gq = transpose(%dq) {perm=[0,2,1,3]} %rq = reshape(%gq) {shape=[B,T,8]} %yq = tanh(%rq)
    %gk = transpose(%dk) {perm=[0,2,1,3]} %rk = reshape(%gk) {shape=[B,T,8]} %yk = tanh(%rk)
    %gv = transpose(%dv) {perm=[0,2,1,3]} %rv = reshape(%gv) {shape=[B,T,8]} %yv = tanh(%rv)
    return %c, %yq, %yk, %yv })";
  check_same(text, {.bindings = {{"B", 3}, {"T", 21}}});
  const std::string plan = onednn::compile(ir::parse(text), {{"B", 3}, {"T", 21}})->plan_text();
  INFO(plan);
  CHECK(plan.find("copy") == std::string::npos);
}

TEST_CASE("attention: bias, bands and dropout, additive and dot, with every gradient") {
  for (const bool additive : {false, true})
    for (const char* bias : {"T,S", "B,1,S", "B,T,S", "S"})
      for (const char* band : {"", ", band=[-1,0]", ", band=[2,0]", ", band=[1,0]", ", band=[3,1]"})
        for (const int dropout : {0, 1, 2}) {
          const std::string optional = std::string(additive ? "; %va" : "; ") + "; %m; %b";
          const std::string drawn = dropout == 0   ? ""
                                    : dropout == 1 ? "; %step_below_9; %rows_below_99"
                                                   : "; %step_below_9; %rows_below_99; %p_below_9";
          const std::string attrs = std::string("scale=0.7") +
                                    (additive ? ", score=\"additive\"" : "") + band +
                                    (dropout == 0   ? ""
                                     : dropout == 1 ? ", keep=0.7, stream=4, inner_axes=[-2,-1]"
                                                    : ", keep=0.7, stream=4, inner_axes=[-1]");
          check_same(std::string("graph(%q: f32[B,T,5], %k: f32[B,S,5], %v: f32[B,S,3], %d: "
                                 "f32[B,T,3], %dw: f32[B,T,S], %m: pred[B,1,S], %b: f32[") +
                         bias +
                         "], %va: f32[5], %step_below_9: s64[], %rows_below_99: s64[B], "
                         "%p_below_9: s32[T]) {\n %o, %w, %l = attention(%q, %k, %v" +
                         optional + drawn + ") {" + attrs +
                         ", weights=true, lse=true}\n %dq, %dk, %dv, %db" +
                         (additive ? ", %dva" : "") + " = attention_grad(%d, %q, %k, %v, %o, %l" +
                         optional + "; %dw" + drawn + ") {" + attrs +
                         ", wanted=[\"q\", \"k\", \"v\", \"bias\"" + (additive ? ", \"v_a\"" : "") +
                         "]}\n return %o, %w, %l, %dq, %dk, %dv, %db" + (additive ? ", %dva" : "") +
                         " }",
                     {.bindings = {{"B", 3}, {"T", 9}, {"S", 11}}});
        }
}

TEST_CASE("attention: every band over fewer and more keys than queries, few queries and many") {
  // Of windows of one key the weights are 1 and their slopes zero, which leaves no scale to err by:
  // those are for the kernels' own tests.
  for (const bool additive : {false, true})
    for (const char* band :
         {"[1,0]", "[4,0]", "[0,3]", "[2,2]", "[-1,2]", "[3,-1]", "[500,500]", "[2147483647,0]"})
      for (const auto& [queries, keys] : {std::pair{2, 7}, {7, 2}, {3, 30}, {40, 40}, {25, 9}}) {
        const std::string va = additive ? "%va" : "", dva = additive ? ", %dva" : "";
        const std::string attrs =
            std::string("band=") + band + (additive ? ", score=\"additive\"" : ", score=\"dot\"");
        check_same(
            "graph(%q: f32[B,T,6], %k: f32[B,S,6], %v: f32[B,S,5], %l: s32[B], %va: f32[6], "
            "%d: f32[B,T,5], %dw: f32[B,T,S]) {\n"
            " %m0 = length_mask(%l) {size=S} %m = reshape(%m0) {shape=[B,1,S]}\n"
            " %o, %w, %s = attention(%q, %k, %v; " +
                va + "; %m) {" + attrs + ", weights=true, lse=true}\n %dq, %dk, %dv" + dva +
                " = attention_grad(%d, %q, %k, %v, %o, %s; " + va + "; %m; ; %dw) {" + attrs +
                ", wanted=[\"q\", \"k\", \"v\"" + (additive ? ", \"v_a\"" : "") +
                "]}\n return %o, %w, %s, %dq, %dk, %dv" + dva + " }",
            {.bindings = {{"B", 3}, {"T", queries}, {"S", keys}}});
      }
}

TEST_CASE("attention: two axes of heads, walked by one kernel, with dropout along all of them") {
  for (const bool additive : {false, true}) {
    const std::string va = additive ? "%va" : "", dva = additive ? ", %dva" : "";
    const std::string attrs = std::string("keep=0.6, inner_axes=[-4,-3,-2,-1]") +
                              (additive ? ", score=\"additive\", " : ", ");
    const std::string text =
        "graph(%q: f32[B,2,3,T,5], %k: f32[B,2,3,S,5], %v: f32[B,2,3,S,4], %b: f32[2,1,T,S], "
        "%d: f32[B,2,3,T,4], %va: f32[5], %step_below_9: s64[], %rows_below_99: s64[B]) {\n"
        " %o, %w, %l = attention(%q, %k, %v; " +
        va + "; ; %b; %step_below_9; %rows_below_99) {" + attrs +
        "weights=true, lse=true}\n %dq, %dk, %dv, %db" + dva +
        " = attention_grad(%d, %q, %k, %v, %o, %l; " + va +
        "; ; %b; ; %step_below_9; %rows_below_99) {" + attrs +
        "wanted=[\"q\", \"k\", \"v\", \"bias\"" + (additive ? ", \"v_a\"" : "") +
        "]}\n return %o, %w, %l, %dq, %dk, %dv, %db" + dva + " }";
    const ir::Bindings sizes{{"B", 2}, {"T", 7}, {"S", 6}};
    check_same(text, {.bindings = sizes});
    const std::string plan = onednn::compile(ir::parse(text), sizes)->plan_text();
    INFO(plan);
    CHECK(plan.find(additive ? "additive_attention_grad" : "dot_attention_grad") !=
          std::string::npos);
    CHECK(plan.find("softmax") == std::string::npos);
  }
}

TEST_CASE("attention: biases by distance, over tiles, bands and shares of heads and batch") {
  for (const std::string bias : {"2,", "1,", "B,1,", "B,2,", ""})
    for (const std::string band : {"[]", "[-1, 0]", "[5, 3]"}) {
      CAPTURE(bias);
      CAPTURE(band);
      const std::string options = "; ; %m; %x) {by_distance=true, scale=0.6, band=" + band;
      const std::string g =
          "graph(%q: f32[B,2,T,5], %k: f32[B,2,S,5], %v: f32[B,2,S,3], %d: f32[B,2,T,3], %dl: "
          "f32[B,2,T], %m: pred[B,1,1,S], %x: f32[" +
          bias + "T+S-1]) { %o, %l = attention(%q, %k, %v" + options +
          ", lse=true} %dq, %dk, %dv, %dx = attention_grad(%d, %q, %k, %v, %o, %l; ; %m; %x; ; ; ; "
          "; "
          "%dl) {by_distance=true, scale=0.6, band=" +
          band + ", wanted=[\"q\", \"k\", \"v\", \"bias\"]} return %o, %dq, %dk, %dv, %dx }";
      for (const auto& [t, s] :
           {std::pair<int64_t, int64_t>{3, 5}, {1, 4}, {4, 1}, {20, 210}, {110, 130}})
        check_same(g, {.bindings = {{"B", 2}, {"T", t}, {"S", s}}});
    }
}

TEST_CASE("by_distance: views that overlap, and sums of their diagonals, of every layout") {
  check_same(R"(graph(%x: f32[B,T+S-1], %y: f32[B,T,S]) {
    %a = by_distance(%x) {queries=T}  %b = mul(%a, %y)  %c = transpose(%a) {perm=[0, 2, 1]}
    %d = add(%c, %c)  %e = sum_by_distance(%b)  return %a, %b, %d, %e })",
             {.bindings = {{"B", 3}, {"T", 4}, {"S", 7}}});
}
