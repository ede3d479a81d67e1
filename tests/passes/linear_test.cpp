// tests/passes/linear_test.cpp -- fuse_linear, fuse_residual and merge_matmuls.
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

using namespace weft::test;

TEST_CASE("fuse_linear: product, bias and activation") {
  const std::string head = "graph(%x: f32[B,T,M], %W: f32[M,H], %b: f32[H]) { ";
  const auto becomes = [&](const std::string& before, const std::string& after) {
    check_rewrite("fuse_linear", head + before, head + after);
    check_keeps_values("fuse_linear", head + before);
  };
  becomes("%m = matmul(%x, %W) %s = add(%m, %b) %y = relu(%s) return %y }",
          "%y = linear(%x, %W; %b) {activation=\"relu\"} return %y }");
  becomes("%m = matmul(%x, %W) %s = add(%b, %m) return %s }",
          "%y = linear(%x, %W; %b) return %y }");
  becomes("%m = matmul(%x, %W) %y = tanh(%m) return %y }",
          "%y = linear(%x, %W) {activation=\"tanh\"} return %y }");
  check_rewrite("fuse_linear",
                "graph(%x: f32[B,M], %W: f32[H,M], %b: f32[H]) { %m = matmul(%x, %W) "
                "{transpose_b=true} %s = add(%m, %b) return %s }",
                "graph(%x: f32[B,M], %W: f32[H,M], %b: f32[H]) { %y = linear(%x, %W; %b) "
                "{transpose_b=true} return %y }");
}

TEST_CASE(
    "fuse_linear: a product alone, one that is read twice, batched weights and other sums stay") {
  check_unchanged("fuse_linear",
                  "graph(%x: f32[B,M], %W: f32[M,H]) { %m = matmul(%x, %W) return %m }");
  check_unchanged("fuse_linear",
                  "graph(%x: f32[B,M], %W: f32[M,H], %b: f32[H]) { %m = matmul(%x, %W) %s = "
                  "add(%m, %b) return %s, %m }");
  check_unchanged("fuse_linear",
                  "graph(%x: f32[B,T,M], %W: f32[B,M,H], %b: f32[H]) { %m = matmul(%x, %W) %s = "
                  "add(%m, %b) return %s }");
  check_unchanged("fuse_linear",
                  "graph(%x: f32[B,M], %W: f32[M,H], %g: f32[B,H]) { %m = matmul(%x, %W) %s = "
                  "add(%m, %g) return %s }");
  check_unchanged("fuse_linear",
                  "graph(%x: f32[1,M], %W: f32[M,1], %b: f32[H]) { %m = matmul(%x, %W) %s = "
                  "add(%m, %b) return %s }");
}

TEST_CASE("fuse_linear: a sum that is read before its activation is fused alone") {
  check_rewrite("fuse_linear",
                "graph(%x: f32[B,M], %W: f32[M,H], %b: f32[H]) { %m = matmul(%x, %W) %s = add(%m, "
                "%b) %y = tanh(%s) return %y, %s }",
                "graph(%x: f32[B,M], %W: f32[M,H], %b: f32[H]) { %s = linear(%x, %W; %b) %y = "
                "tanh(%s) return %y, %s }");
}

TEST_CASE("merge_matmuls: q, k and v of one sequence are one product, biases along") {
  const char* before =
      R"(graph(%x: f32[B,T,M], %Wq: f32[M,D], %Wk: f32[M,D], %Wv: f32[M,E], %b: f32[D]) {
    %q0 = matmul(%x, %Wq) %q = add(%q0, %b) %k = matmul(%x, %Wk) %v = matmul(%x, %Wv)
    %o = attention(%q, %k, %v) return %o })";
  check_rewrite("merge_matmuls", before,
                R"(graph(%x: f32[B,T,M], %Wq: f32[M,D], %Wk: f32[M,D], %Wv: f32[M,E], %b: f32[D]) {
    %W = concat(%Wq, %Wk, %Wv) {axis=1} %m0 = matmul(%x, %W)
    %z1 = constant() {shape=[D], values=[0]} %z2 = constant() {shape=[E], values=[0]} %bb = concat(%b, %z1, %z2) {axis=0} %m = add(%m0, %bb)
    %q = slice(%m) {axis=-1, start=0, stop=D} %k = slice(%m) {axis=-1, start=D, stop=2*D} %v = slice(%m) {axis=-1, start=2*D, stop=2*D+E}
    %o = attention(%q, %k, %v) return %o })");
  check_keeps_values("merge_matmuls", before);
}

TEST_CASE("merge_matmuls: a step of decoding does not copy its weights, a loop may") {
  check_unchanged("merge_matmuls",
                  "graph(%x: f32[B,M], %U: f32[M,D], %W: f32[M,D]) { %a = matmul(%x, %U) %b = "
                  "matmul(%x, %W) %c = mul(%a, %b) return %c }");
  check_rewrite(
      "merge_matmuls",
      "graph(%s: f32[B,M], %U: f32[M,M], %W: f32[M,M]) { %n = scan(%s; ; %U, %W) {steps=T} (%s, "
      "%U, %W) { %a = matmul(%s, %U) %b = matmul(%s, %W) %c = mul(%a, %b) yield %c } return %n }",
      "graph(%s: f32[B,M], %U: f32[M,M], %W: f32[M,M]) { %n = scan(%s; ; %U, %W) {steps=T} (%s, "
      "%U, %W) { %w = concat(%U, %W) {axis=1} %m = matmul(%s, %w) "
      "%a = slice(%m) {axis=-1, start=0, stop=M} %b = slice(%m) {axis=-1, start=M, stop=2*M} %c = "
      "mul(%a, %b) yield %c } return %n }");
}

TEST_CASE("merge_matmuls: products whose slices a loop would have copied stay apart") {
  check_unchanged("merge_matmuls",
                  R"(graph(%s: f32[B,H], %x: f32[T,B,M], %U: f32[M,H], %W: f32[M,H]) {
    %a = matmul(%x, %U) %b = matmul(%x, %W)
    %f = scan(%s; %a) {axes=[0]} (%s, %a) { %n = add(%s, %a) yield %n }
    %r = scan(%s; %b) {axes=[0], reverse=true} (%s, %b) { %n = add(%s, %b) yield %n } return %f, %r })");
}

TEST_CASE("merge_matmuls: right operands that are no weights stay") {
  check_unchanged("merge_matmuls",
                  "graph(%x: f32[B,T,M], %U: f32[M,M], %W: f32[M,M]) { %a = tanh(%U) %u = "
                  "matmul(%x, %a) %b = tanh(%W) %v = matmul(%x, %b) %c = mul(%u, %v) return %c }");
}

TEST_CASE("merge_matmuls: a concat of products of one value is a product with a concat") {
  const char* before =
      "graph(%x: f32[B,M], %U: f32[M,D], %W: f32[M,E]) { %a = matmul(%x, %U) %b = matmul(%x, %W) "
      "%c = concat(%a, %b) {axis=-1} return %c }";
  check_rewrite("merge_matmuls", before,
                "graph(%x: f32[B,M], %U: f32[M,D], %W: f32[M,E]) { %w = concat(%U, %W) {axis=1} %c "
                "= matmul(%x, %w) return %c }");
  check_keeps_values("merge_matmuls", before);
}

TEST_CASE("fuse_residual: a product and what it is added to") {
  const std::string head = "graph(%x: f32[B,T,M], %W: f32[M,H], %b: f32[H], %r: f32[B,T,H]) { ";
  const auto becomes = [&](const std::string& before, const std::string& after) {
    check_rewrite("fuse_residual", head + before, head + after);
    check_keeps_values("fuse_residual", head + before);
  };
  becomes("%m = matmul(%x, %W) %y = add(%r, %m) return %y }",
          "%y = linear(%x, %W; ; %r) return %y }");
  becomes("%l = linear(%x, %W; %b) %y = add(%l, %r) return %y, %r }",
          "%y = linear(%x, %W; %b; %r) return %y, %r }");
  becomes(  // the later product is added to the earlier one
      "%m = matmul(%x, %W) %l = linear(%x, %W; %b) %y = add(%l, %m) return %y }",
      "%m = matmul(%x, %W) %y = linear(%x, %W; %b; %m) return %y }");
  becomes(  // a sum of several
      "%m = matmul(%x, %W) %l = linear(%x, %W; %b) %s = add(%r, %m) %y = add(%s, %l) return %y }",
      "%s = linear(%x, %W; ; %r) %y = linear(%x, %W; %b; %s) return %y }");
}

TEST_CASE(
    "fuse_residual: what is read twice, has an activation or belongs to an elementwise chain "
    "stays") {
  const std::string head = "graph(%x: f32[B,M], %W: f32[M,H], %r: f32[B,H], %v: f32[H]) { ";
  for (const char* body : {"%m = matmul(%x, %W) %y = add(%m, %r) return %y, %m }",
                           "%m = linear(%x, %W) {activation=\"relu\"} %y = add(%m, %r) return %y }",
                           "%m = matmul(%x, %W) %s = add(%m, %r) %y = tanh(%s) return %y }",
                           "%m = matmul(%x, %W) %t = tanh(%r) %y = add(%m, %t) return %y }",
                           "%m = matmul(%x, %W) %y = add(%m, %v) return %y }",
                           "%m = matmul(%x, %W) %y = add(%m, %m) return %y }",
                           "%m = matmul(%x, %r) {transpose_a=true} %y = add(%m, %W) return %y }"})
    check_unchanged("fuse_residual", head + body);
}
