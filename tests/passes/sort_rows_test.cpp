// tests/passes/sort_rows_test.cpp -- the rows of a loop stand in the order of their lengths.
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

#include <string>

using namespace weft;
using test::check_keeps_values;
using test::check_rewrite;
using test::check_unchanged;

namespace {

const std::string kBody = R"((%s, %x, %h, %U, %live) {
        %m = matmul(%s, %U)
        %a = add(%m, %x)
        %b = add(%a, %h)
        %t = tanh(%b)
        yield %t; %t
      })";

}  // namespace

TEST_CASE("sort_rows: what a loop reads by rows is put in order, what it makes is put back") {
  check_rewrite("sort_rows", R"(
    graph(%s: f32[B,H], %x: f32[T,B,H], %h: f32[B,H], %U: f32[H,H], %n: s32[B]) {
      %sN, %o = scan(%s; %x; %h, %U; %n) {axes=[0], out_axes=[0]}
      )" + kBody + R"(
      return %sN, %o
    })",
                R"(
    graph(%s: f32[B,H], %x: f32[T,B,H], %h: f32[B,H], %U: f32[H,H], %n: s32[B]) {
      %order, %places = length_order(%n)
      %n1 = gather(%n, %order) {axis=0}
      %s1 = gather(%s, %order) {axis=0}
      %x1 = gather(%x, %order) {axis=1}
      %h1 = gather(%h, %order) {axis=0}
      %r, %q = scan(%s1; %x1; %h1, %U; %n1) {axes=[0], out_axes=[0]}
      )" + kBody + R"(
      %sN = gather(%r, %places) {axis=0}
      %o = gather(%q, %places) {axis=1}
      return %sN, %o
    })");
}

TEST_CASE("sort_rows: packed work takes the places along, equal rows need none") {
  check_rewrite("sort_rows", R"(
    graph(%p: f32[T*B,H], %W: f32[H,H], %h: f32[B,H], %U: f32[H,H], %n: s32[B]) {
      %z = constant() {shape=[B,H], values=[0]}
      %x = unpack(%p, %n) {steps=T}
      %sN, %o = scan(%z; %x; %h, %U; %n) {axes=[0], out_axes=[0]}
      )" + kBody + R"(
      %q = pack(%o, %n)
      %y = matmul(%q, %W)
      return %y
    })",
                R"(
    graph(%p: f32[T*B,H], %W: f32[H,H], %h: f32[B,H], %U: f32[H,H], %n: s32[B]) {
      %z = constant() {shape=[B,H], values=[0]}
      %order, %places = length_order(%n)
      %n1 = gather(%n, %order) {axis=0}
      %x = unpack(%p, %n; %places) {steps=T}
      %h1 = gather(%h, %order) {axis=0}
      %sN, %o = scan(%z; %x; %h1, %U; %n1) {axes=[0], out_axes=[0]}
      )" + kBody + R"(
      %q = pack(%o, %n; %places)
      %y = matmul(%q, %W)
      return %y
    })");
}

TEST_CASE("sort_rows: row-wise work between two loops of one order stays in it") {
  check_rewrite("sort_rows", R"(
    graph(%s: f32[B,H], %x: f32[T,B,H], %h: f32[B,H], %U: f32[H,H], %n: s32[B]) {
      %sN, %o = scan(%s; %x; %h, %U; %n) {axes=[0], out_axes=[0]}
      )" + kBody + R"(
      %e = mul(%o, %o)
      %rN, %q = scan(%sN; %e; %h, %U; %n) {axes=[0], out_axes=[0]}
      )" + kBody + R"(
      return %rN
    })",
                R"(
    graph(%s: f32[B,H], %x: f32[T,B,H], %h: f32[B,H], %U: f32[H,H], %n: s32[B]) {
      %order, %places = length_order(%n)
      %n1 = gather(%n, %order) {axis=0}
      %s1 = gather(%s, %order) {axis=0}
      %x1 = gather(%x, %order) {axis=1}
      %h1 = gather(%h, %order) {axis=0}
      %sN, %o = scan(%s1; %x1; %h1, %U; %n1) {axes=[0], out_axes=[0]}
      )" + kBody + R"(
      %e = mul(%o, %o)
      %rN, %q = scan(%sN; %e; %h1, %U; %n1) {axes=[0], out_axes=[0]}
      )" + kBody + R"(
      %r = gather(%rN, %places) {axis=0}
      return %r
    })");
}

TEST_CASE("sort_rows: loops of other lengths have an order of their own") {
  check_keeps_values("sort_rows", R"(
    graph(%s: f32[B,H], %x: f32[T,B,H], %h: f32[B,H], %U: f32[H,H], %n: s32[B], %m: s32[B]) {
      %sN, %o = scan(%s; %x; %h, %U; %n) {axes=[0], out_axes=[0]}
      )" + kBody + R"(
      %v = transpose(%o) {perm=[1,0,2]}
      %w = transpose(%v) {perm=[1,0,2]}
      %c = concat(%o, %w) {axis=-1}
      %d = slice(%c) {axis=-1, start=0, stop=H}
      %rN, %q = scan(%sN; %d; %sN, %U; %m) {axes=[0], out_axes=[0], reverse=true}
      )" + kBody + R"(
      %k = add(%q, %d)
      return %rN, %k
    })");
}

TEST_CASE("sort_rows: a loop whose rows differ by their number is left alone") {
  check_unchanged("sort_rows", R"(
    graph(%s: f32[B,H], %U: f32[H,H], %n: s32[B]) {
      %sN = scan(%s; ; %U; %n) {steps=T}
      (%s, %U, %live) {
        %m = matmul(%s, %U)
        %i = iota() {shape=[B,H], axis=0, dtype=f32}
        %a = add(%m, %i)
        yield %a
      }
      return %sN
    })");
  check_unchanged("sort_rows", R"(
    graph(%s: f32[B,H], %U: f32[H,H], %n: s32[B]) {
      %sN = scan(%s; ; %U; %n) {steps=T}
      (%s, %U, %live) {
        %m = matmul(%s, %U)
        %r = reverse(%m) {axis=0}
        yield %r
      }
      return %sN
    })");
}

TEST_CASE("sort_rows: a loop without a product is not worth moving rows") {
  check_unchanged("sort_rows", R"(
    graph(%s: f32[B,H], %x: f32[T,B,H], %n: s32[B]) {
      %sN = scan(%s; %x; ; %n) {axes=[0]}
      (%s, %x, %live) {
        %a = add(%s, %x)
        %t = tanh(%a)
        yield %t
      }
      return %sN
    })");
}

TEST_CASE("sort_rows: sums over rows in a loop do not depend on their order") {
  check_keeps_values("sort_rows", R"(
    graph(%s: f32[B,H], %d: f32[H,H], %x: f32[T,B,H], %U: f32[H,H], %n: s32[B]) {
      %sN, %dN, %o = scan(%s, %d; %x; %U; %n) {axes=[0], out_axes=[0]}
      (%s, %d, %x, %U, %live) {
        %m = matmul(%s, %U)
        %a = add(%m, %x)
        %w = matmul(%s, %a) {transpose_a=true}
        %e = add(%d, %w)
        %t = tanh(%a)
        yield %t, %e; %t
      }
      return %sN, %dN, %o
    })");
}
