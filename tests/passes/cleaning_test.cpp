// tests/passes/cleaning_test.cpp -- cse, dce, fold_constants.
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

using namespace weft::test;

TEST_CASE("cse: equal nodes are one, commutative operands in either order") {
  check_rewrite("cse",
                "graph(%x: f32[B], %y: f32[B]) { %a = add(%x, %y) %b = add(%y, %x) %c = mul(%a, "
                "%b) return %c }",
                "graph(%x: f32[B], %y: f32[B]) { %a = add(%x, %y) %c = mul(%a, %a) return %c }");
}

TEST_CASE("cse: attributes, order and streams tell nodes apart") {
  check_unchanged("cse",
                  "graph(%x: f32[B,B]) { %a = sum(%x) {axes=[0]} %b = sum(%x) {axes=[1]} %c = "
                  "sub(%a, %b) %d = sub(%b, %a) %e = mul(%c, %d) return %e }");
  check_unchanged("cse",
                  "graph(%t: s64[], %r: s64[B]) { %a = random(%t, %r) {stream=1} %b = random(%t, "
                  "%r) {stream=2} return %a, %b }");
}

TEST_CASE("cse: 0 and -0 are two constants") {
  check_unchanged("cse",
                  "graph(%x: f32[B]) { %a = mul(%x, 0) %b = mul(%x, -0.0) %c = sub(%a, %b) return "
                  "%c }");
}

TEST_CASE("cse: loops that do the same are one") {
  const char* body = "(%s, %x) { %n = add(%s, %x) yield %n }";
  check_rewrite("cse",
                std::string("graph(%s: f32[B], %x: f32[T,B]) { %a = scan(%s; %x) {axes=[0]} ") +
                    body + " %b = scan(%s; %x) {axes=[0]} " + body +
                    " %c = mul(%a, %b) return %c }",
                std::string("graph(%s: f32[B], %x: f32[T,B]) { %a = scan(%s; %x) {axes=[0]} ") +
                    body + " %c = mul(%a, %a) return %c }");
}

TEST_CASE("fold_constants: what is known is computed, equal elements stay one value") {
  check_rewrite("fold_constants",
                "graph(%x: f32[B,3]) { %c = constant() {values=[64]} %r = sqrt(%c) %i = iota() "
                "{shape=[3], dtype=f32} %t = mul(%i, %r) %y = add(%x, %t) return %y }",
                "graph(%x: f32[B,3]) { %t = constant() {shape=[3], values=[0, 8, 16]} %y = add(%x, "
                "%t) return %y }");
}

TEST_CASE("fold_constants: integers are exact beyond what a double holds, zeros keep their sign") {
  check_rewrite("fold_constants",
                "graph(%x: s64[1]) { %c = constant() {dtype=s64, shape=[], "
                "values=[9007199254740992]} %d = add(%c, 1) %y = add(%x, %d) return %y }",
                "graph(%x: s64[1]) { %y = add(%x, 9007199254740993) return %y }");
  check_rewrite("fold_constants",
                "graph(%x: f32[2]) { %c = constant() {shape=[2], values=[0, -0.0]} %d = neg(%c) "
                "%y = div(%x, %d) return %y }",
                "graph(%x: f32[2]) { %d = constant() {shape=[2], values=[-0.0, 0]} %y = div(%x, "
                "%d) return %y }");
}

TEST_CASE("fold_constants: large constants, random numbers and failures are left alone") {
  check_unchanged("fold_constants",
                  "graph(%x: f32[64,64]) { %i = iota() {shape=[64,64], axis=1, dtype=f32} %t = "
                  "exp(%i) %y = add(%x, %t) return %y }");
  check_unchanged("fold_constants",
                  "graph(%x: s32[]) { %a = constant() {dtype=s32, values=[1]} %z = constant() "
                  "{dtype=s32, values=[0]} %d = div(%a, %z) %y = add(%x, %d) return %y }");
}

TEST_CASE("dce: what no output needs is gone") {
  check_rewrite("dce", "graph(%x: f32[B]) { %a = tanh(%x) %b = exp(%x) return %b }",
                "graph(%x: f32[B]) { %b = exp(%x) return %b }");
}

TEST_CASE("dce: unread results, carries, scanned inputs and invariants of a loop go") {
  check_rewrite("dce", R"(graph(%s: f32[B], %t: f32[B], %x: f32[T,B], %y: f32[T,B], %w: f32[B]) {
    %a, %b, %o, %p = scan(%s, %t; %x, %y; %w, %w) {axes=[0,0], out_axes=[0,0]}
    (%s, %t, %x, %y, %w, %v) { %n = add(%s, %x) %m = mul(%t, %y) %k = mul(%m, %w) %q = mul(%n, %v) yield %n, %k; %q, %k }
    return %o })",
                R"(graph(%s: f32[B], %t: f32[B], %x: f32[T,B], %y: f32[T,B], %w: f32[B]) {
    %a, %o = scan(%s; %x; %w) {axes=[0], out_axes=[0]}
    (%s, %x, %w) { %n = add(%s, %x) %q = mul(%n, %w) yield %n; %q }
    return %o })");
}

TEST_CASE("dce: a carry that never changes is an invariant, its result the initial value") {
  check_rewrite(
      "dce",
      "graph(%s: f32[B], %c: f32[B], %x: f32[T,B]) { %a, %b = scan(%s, %c; %x) {axes=[0]} (%s, %c, "
      "%x) { %p = mul(%c, %x) %n = add(%s, %p) yield %n, %c } return %a, %b }",
      "graph(%s: f32[B], %c: f32[B], %x: f32[T,B]) { %a = scan(%s; %x; %c) {axes=[0]} (%s, %x, %c) "
      "{ %p = mul(%c, %x) %n = add(%s, %p) yield %n } return %a, %c }");
}

TEST_CASE("dce: constants move into loops; a loop without scanned inputs keeps its steps") {
  check_rewrite("dce",
                "graph(%s: f32[B], %x: f32[T,B]) { %c = constant() {values=[0.5]} %a = scan(%s; "
                "%x; %c) {axes=[0]} (%s, %x, %c) { %n = mul(%s, %c) yield %n } return %a }",
                "graph(%s: f32[B], %x: f32[T,B]) { %a = scan(%s) {steps=T} (%s) { %n = mul(%s, "
                "0.5) yield %n } return %a }");
}

TEST_CASE("dce: loops with lengths keep them") {
  check_rewrite(
      "dce",
      "graph(%s: f32[B], %x: f32[T,B], %w: f32[B], %l: s32[B]) { %a, %o = scan(%s; %x; %w; %l) "
      "{axes=[0], out_axes=[0]} (%s, %x, %w, %live) { %n = add(%s, %x) yield %n; %n } return %a }",
      "graph(%s: f32[B], %x: f32[T,B], %w: f32[B], %l: s32[B]) { %a = scan(%s; %x; ; %l) "
      "{axes=[0]} (%s, %x, %live) { %n = add(%s, %x) yield %n } return %a }");
}
