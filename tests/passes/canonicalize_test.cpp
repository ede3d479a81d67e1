// tests/passes/canonicalize_test.cpp -- one spelling for one meaning.
#include "ir/text/text.h"
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

using weft::test::check_keeps_values;
using weft::test::check_rewrite;
using weft::test::check_unchanged;

namespace {
void becomes(const std::string& arguments, const std::string& before, const std::string& after) {
  const auto graph = [&](const std::string& body) {
    return "graph(" + arguments + ") {\n" + body + "\n}";
  };
  check_rewrite("canonicalize", graph(before), graph(after));
  check_keeps_values("canonicalize", graph(before));
}
}  // namespace

TEST_CASE("canonicalize: reshapes are merged, and gone where they do nothing") {
  becomes("%x: f32[B,T,6]",
          "%a = reshape(%x) {shape=[B,T,2,3]} %b = reshape(%a) {shape=[T,B,6]} return %b",
          "%b = reshape(%x) {shape=[T,B,6]} return %b");
  becomes("%x: f32[B,T]",
          "%a = reshape(%x) {shape=[B,1,T]} %b = reshape(%a) {shape=[B,T]} %c = tanh(%b) return %c",
          "%c = tanh(%x) return %c");
}

TEST_CASE(
    "canonicalize: transposes are merged, given to matmul as flags, or reshapes where only 1s "
    "move") {
  becomes(
      "%x: f32[B,T,H]",
      "%a = transpose(%x) {perm=[1,2,0]} %b = transpose(%a) {perm=[2,0,1]} %c = tanh(%b) return %c",
      "%c = tanh(%x) return %c");
  becomes("%x: f32[B,T,H], %y: f32[S,H]",
          "%a = transpose(%y) {perm=[1,0]} %b = matmul(%x, %a) return %b",
          "%b = matmul(%x, %y) {transpose_b=true} return %b");
  becomes("%x: f32[B,1,H]", "%a = transpose(%x) {perm=[1,0,2]} return %a",
          "%a = reshape(%x) {shape=[1,B,H]} return %a");
  becomes("%q: f32[B,2,T,3], %k: f32[B,S,2,3]",
          "%a = transpose(%k) {perm=[0,2,3,1]} %b = matmul(%q, %a) return %b",
          "%a = transpose(%k) {perm=[0,2,1,3]} %b = matmul(%q, %a) {transpose_b=true} return %b");
}

TEST_CASE("canonicalize: elementwise ops broadcast their operands themselves") {
  becomes("%x: f32[B,T,H], %b: f32[H]",
          "%a = broadcast(%b) {shape=[B,T,H]} %y = add(%x, %a) return %y",
          "%y = add(%x, %b) return %y");
  becomes("%x: f32[B,T,H], %b: f32[H]",
          "%a = reshape(%b) {shape=[1,1,H]} %y = mul(%x, %a) return %y",
          "%y = mul(%x, %b) return %y");
  becomes("%b: f32[H]", "%a = broadcast(%b) {shape=[4,H]} %y = tanh(%a) return %y",
          "%a = tanh(%b) %y = broadcast(%a) {shape=[4,H]} return %y");
}

TEST_CASE("canonicalize: constants are of rank 0 where they broadcast, on the right, and merged") {
  becomes("%x: f32[B,H]",
          "%c = constant() {dtype=f32, shape=[B,H], values=[2]} %y = mul(%c, %x) return %y",
          "%y = mul(%x, 2) return %y");
  becomes("%x: f32[B]", "%a = mul(%x, 4) %b = mul(%a, 2) return %b", "%b = mul(%x, 8) return %b");
  becomes("%x: f32[B]", "%a = mul(%x, 0.5) %b = div(%a, 4) return %b",
          "%b = mul(%x, 0.125) return %b");
  becomes("%x: f32[B]", "%a = add(%x, 4) %b = sub(%a, -1) return %b", "%b = add(%x, 5) return %b");
  becomes("%x: s32[B]", "%a = add(%x, 4) %b = sub(%a, 1) return %b", "%b = add(%x, 3) return %b");
  becomes("%x: f32[B]", "%a = div(%x, 4) return %a", "%a = mul(%x, 0.25) return %a");
  becomes("%x: f32[B]", "%a = mul(%x, 1) %b = sub(%a, 0) %c = tanh(%b) return %c",
          "%c = tanh(%x) return %c");
  becomes("%x: f32[B]", "%a = mul(%x, 4) %b = neg(%a) return %b", "%b = mul(%x, -4) return %b");
}

TEST_CASE("canonicalize: what is not true of all floats is left alone") {
  const auto stays = [](const std::string& nodes) {
    check_unchanged("canonicalize", "graph(%x: f32[B]) { " + nodes + " return %y }");
  };
  stays("%y = add(%x, 0)");  // 0 where x is -0
  stays("%y = mul(%x, 0)");
  stays("%y = sub(%x, %x)");
  stays("%y = div(%x, %x)");
  stays("%y = div(0, %x)");
  stays("%a = mul(%x, 1e+30) %y = mul(%a, 1e-30)");   // may have overflowed
  stays("%a = add(%x, 1e+08) %y = add(%a, -1e+08)");  // has rounded
  stays("%y = div(%x, 1e-40)");                       // 1e40 is no float
  stays("%a = log(%x) %y = exp(%a)");
  becomes("%x: f32[B]", "%y = add(%x, -0.0) return %y", "return %x");
  becomes("%x: f32[B]", "%y = sub(%x, 0) return %y", "return %x");
}

TEST_CASE("canonicalize: integer division stays") {
  check_unchanged("canonicalize", "graph(%x: s32[B]) { %y = div(%x, 4) return %y }");
}

TEST_CASE("canonicalize: signs") {
  becomes("%x: f32[B], %y: f32[B]", "%a = neg(%y) %b = add(%x, %a) return %b",
          "%b = sub(%x, %y) return %b");
  becomes("%x: f32[B], %y: f32[B]", "%a = neg(%y) %b = sub(%x, %a) return %b",
          "%b = add(%x, %y) return %b");
  becomes("%x: f32[B]", "%a = neg(%x) %b = add(%a, 1) return %b", "%b = sub(1, %x) return %b");
  becomes("%x: f32[B,H]", "%a = neg(%x) %b = sum(%a) {axes=[1]} return %b",
          "%a = sum(%x) {axes=[1]} %b = neg(%a) return %b");
}

TEST_CASE("canonicalize: select has no known, equal or negated condition") {
  becomes("%x: f32[B], %y: f32[B], %c: pred[B]",
          "%n = logical_not(%c) %z = select(%n, %x, %y) return %z",
          "%z = select(%c, %y, %x) return %z");
  becomes("%x: f32[B], %c: pred[B]", "%z = select(%c, %x, %x) %t = tanh(%z) return %t",
          "%t = tanh(%x) return %t");
  becomes("%x: f32[B], %y: f32[1]",
          "%c = constant() {dtype=pred, shape=[B], values=[1]} %z = select(%c, %y, %x) return %z",
          "%z = broadcast(%y) {shape=[B]} return %z");
}

TEST_CASE("canonicalize: casts through a wider dtype are one") {
  becomes("%x: s32[B]", "%a = cast(%x) {dtype=f64} %b = cast(%a) {dtype=f32} return %b",
          "%b = cast(%x) {dtype=f32} return %b");
  check_unchanged(
      "canonicalize",
      "graph(%x: f32[B]) { %a = cast(%x) {dtype=s32} %b = cast(%a) {dtype=f32} return %b }");
}

TEST_CASE("canonicalize: slices and concats") {
  becomes("%x: f32[B,3*H]",
          "%a = slice(%x) {axis=-1, start=H, stop=3*H} %b = slice(%a) {axis=-1, start=0, stop=H} "
          "return %b",
          "%b = slice(%x) {axis=-1, start=H, stop=2*H} return %b");
  becomes("%x: f32[B,2*H]",
          "%a = slice(%x) {axis=-1, start=0, stop=H} %b = slice(%x) {axis=-1, start=H, stop=2*H} "
          "%c = concat(%a, %b) {axis=-1} %d = tanh(%c) return %d",
          "%d = tanh(%x) return %d");
  becomes("%x: f32[B,H], %y: f32[B,E], %z: f32[B,M]",
          "%a = concat(%x, %y) {axis=1} %b = concat(%a, %z) {axis=1} %c = slice(%b) {axis=1, "
          "start=H, stop=H+E} %d = tanh(%c) return %d",
          "%d = tanh(%y) return %d");
  becomes("%x: f32[B,6], %y: f32[B,4]",
          "%a = concat(%x, %y) {axis=1} %c = slice(%a) {axis=1, start=7, stop=9} return %c",
          "%c = slice(%y) {axis=1, start=1, stop=3} return %c");
  check_unchanged("canonicalize",
                  "graph(%x: f32[B,6], %y: f32[B,4]) { %a = concat(%x, %y) {axis=1} %c = slice(%a) "
                  "{axis=1, start=5, stop=9} return %c }");
}

TEST_CASE("canonicalize: reductions keep no axes, reduce no axes of size 1, and are merged") {
  becomes("%x: f32[B,T]", "%a = sum(%x) {axes=[1], keep=true} return %a",
          "%a = sum(%x) {axes=[1]} %b = reshape(%a) {shape=[B,1]} return %b");
  becomes("%x: f32[B,1,T]", "%a = max(%x) {axes=[1]} return %a",
          "%a = reshape(%x) {shape=[B,T]} return %a");
  becomes("%x: f32[B,T,H]", "%a = sum(%x) {axes=[1]} %b = sum(%a) {axes=[0]} return %b",
          "%b = sum(%x) {axes=[0,1]} return %b");
  becomes("%x: f32[H]", "%a = broadcast(%x) {shape=[4,H]} %b = sum(%a) {axes=[0]} return %b",
          "%b = mul(%x, 4) return %b");
}

TEST_CASE("canonicalize: softmax is over the last axis where only axes of size 1 follow") {
  becomes("%x: f32[B,S,1], %m: pred[B,S,1]",
          "%e = select(%m, %x, -inf) %a = softmax(%e) {axis=-2} return %a", R"(
    %x1 = reshape(%x) {shape=[B,S]}  %m1 = reshape(%m) {shape=[B,S]}
    %e = select(%m1, %x1, -inf)  %a = softmax(%e)  %b = reshape(%a) {shape=[B,S,1]} return %b)");
}

TEST_CASE("canonicalize: named functions of one argument") {
  becomes("%x: f32[B]", "%n = neg(%x) %e = exp(%n) %d = add(1, %e) %s = div(1, %d) return %s",
          "%s = sigmoid(%x) return %s");
  becomes("%x: f32[B,V]", "%p = softmax(%x) %l = log(%p) return %l",
          "%l = log_softmax(%x) return %l");
}

TEST_CASE("canonicalize: rows folded for a product are not") {
  becomes("%x: f32[B,T,H], %W: f32[H,E]",
          "%a = reshape(%x) {shape=[B*T,H]} %b = matmul(%a, %W) %c = reshape(%b) {shape=[B,T,E]} "
          "return %c",
          "%c = matmul(%x, %W) return %c");
}

TEST_CASE("canonicalize: a product with rows that are repeated is taken once") {
  becomes("%s: f32[B,1,H], %h: f32[B,S,E], %W: f32[H+E,A]",
          "%r = broadcast(%s) {shape=[B,S,H]} %c = concat(%r, %h) {axis=-1} %u = matmul(%c, %W) "
          "return %u",
          R"(
    %w1 = slice(%W) {axis=0, start=0, stop=H}  %a = matmul(%s, %w1)
    %w2 = slice(%W) {axis=0, start=H, stop=H+E}  %b = matmul(%h, %w2)  %u = add(%a, %b) return %u)");
}

TEST_CASE("canonicalize: regions too, and known sizes are constants") {
  check_rewrite(
      "canonicalize",
      "graph(%s: f32[B,4], %x: f32[T,B,4]) { %r = scan(%s; %x) {axes=[0]} (%s, %x) { %n = "
      "dim_size(%x) {axis=1, dtype=f32} %a = mul(%x, %n) %b = add(%s, %a) yield %b } return %r }",
      "graph(%s: f32[B,4], %x: f32[T,B,4]) { %r = scan(%s; %x) {axes=[0]} (%s, %x) { %a = mul(%x, "
      "4) %b = add(%s, %a) yield %b } return %r }");
}

TEST_CASE("canonicalize: what is merged stands for all it came from") {
  const weft::ir::Graph g = weft::test::run(
      "canonicalize", weft::ir::parse("graph(%x: f32[B,T,6]) { %a = reshape(%x) {shape=[B,T,2,3]} "
                                      "%b = reshape(%a) {shape=[T,B,6]} return %b }"));
  REQUIRE(g.nodes().size() == 1);
  CHECK(g.nodes()[0].from.origins.size() == 2);
}

TEST_CASE("canonicalize: pieces padded to their places and added up are put side by side") {
  check_rewrite("canonicalize", R"(
    graph(%x: f32[B,H], %y: f32[B,3], %z: f32[B,H]) {
      %a = pad(%y) {axis=-1, low=H, high=H}
      %b = pad(%x) {axis=-1, high=H+3}
      %c = pad(%z) {axis=-1, low=H+3}
      %d = add(%a, %b)
      %e = add(%d, %c)
      return %e
    })",
                R"(
    graph(%x: f32[B,H], %y: f32[B,3], %z: f32[B,H]) {
      %e = concat(%x, %y, %z) {axis=-1}
      return %e
    })");
}

TEST_CASE("canonicalize: pieces that overlap or leave a gap are added up as they are") {
  check_unchanged("canonicalize", R"(
    graph(%x: f32[B,4], %y: f32[B,4]) {
      %a = pad(%x) {axis=-1, high=3}
      %b = pad(%y) {axis=-1, low=3}
      %c = add(%a, %b)
      return %c
    })");
}
