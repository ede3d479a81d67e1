// tests/passes/order_packed_test.cpp -- packed rows stand as loops read them.
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

#include <string>

using namespace weft;
using test::check_keeps_values;
using test::check_rewrite;
using test::check_unchanged;

namespace {

const std::string kArguments = R"(
    graph(%z: f32[B,H], %x: f32[T,B,H], %W: f32[H,H], %U: f32[H,H], %n: s32[B], %m: s32[B]) {)";

const std::string kBody = R"((%s, %x, %U, %live) {
        %m = matmul(%s, %U)
        %a = add(%m, %x)
        yield %a; %a
      })";

}  // namespace

TEST_CASE("order_packed: work between packing and a loop is done in the loop's order") {
  check_rewrite("order_packed", kArguments + R"(
      %p = pack(%x, %n)
      %h = matmul(%p, %W)
      %order, %places = length_order(%n)
      %n1 = gather(%n, %order) {axis=0}
      %y = unpack(%h, %n; %places) {steps=T}
      %sN, %o = scan(%z; %y; %U; %n1) {axes=[0], out_axes=[0]}
      )" + kBody + R"(
      %q = pack(%o, %n; %places)
      %g = matmul(%h, %q) {transpose_a=true}
      %back = unpack(%q, %n) {steps=T}
      return %sN, %g, %back
    })",
                kArguments + R"(
      %order, %places = length_order(%n)
      %n1 = gather(%n, %order) {axis=0}
      %p = pack(%x, %n1; %order)
      %h = matmul(%p, %W)
      %y = unpack(%h, %n1) {steps=T}
      %sN, %o = scan(%z; %y; %U; %n1) {axes=[0], out_axes=[0]}
      )" + kBody + R"(
      %q = pack(%o, %n1)
      %g = matmul(%h, %q) {transpose_a=true}
      %back = unpack(%q, %n1; %order) {steps=T}
      return %sN, %g, %back
    })");
}

TEST_CASE("order_packed: rows that others want in another order come in that one") {
  check_rewrite("order_packed", kArguments + R"(
      %order, %places = length_order(%n)
      %others, %there = length_order(%m)
      %p = pack(%x, %n)
      %h = matmul(%p, %W)
      %y = unpack(%h, %n; %there) {steps=T}
      %m1 = gather(%m, %others) {axis=0}
      %sN, %o = scan(%z; %y; %U; %m1) {axes=[0], out_axes=[0]}
      )" + kBody + R"(
      %q = pack(%o, %n; %places)
      %g = matmul(%h, %q) {transpose_a=true}
      return %sN, %g
    })",
                kArguments + R"(
      %order, %places = length_order(%n)
      %others, %there = length_order(%m)
      %n1 = gather(%n, %order) {axis=0}
      %p = pack(%x, %n1; %order)
      %h = matmul(%p, %W)
      %moved = gather(%there, %order) {axis=0}
      %y = unpack(%h, %n1; %moved) {steps=T}
      %m1 = gather(%m, %others) {axis=0}
      %sN, %o = scan(%z; %y; %U; %m1) {axes=[0], out_axes=[0]}
      )" + kBody + R"(
      %q = pack(%o, %n1)
      %g = matmul(%h, %q) {transpose_a=true}
      return %sN, %g
    })");
}

TEST_CASE("order_packed: held back where packed rows are told apart, come from outside or leave") {
  const auto between = [](const std::string& arguments, const std::string& work,
                          const std::string& results) {
    return "graph(%x: f32[T,B,H], %n: s32[B]" + arguments +
           ") {\n %order, %places = length_order(%n)\n %p = pack(%x, %n)\n" + work +
           "\n %y = unpack(%h, %n; %places) {steps=T}\n return %order, %y" + results + " }";
  };
  check_unchanged("order_packed",
                  between("", " %i = iota() {shape=[T*B,1], dtype=f32}\n %h = add(%p, %i)", ""));
  check_unchanged("order_packed", between("", " %h = reverse(%p) {axis=0}", ""));
  check_unchanged("order_packed", between("", " %h = cumsum(%p) {axis=0}", ""));
  check_unchanged("order_packed", between(", %h: f32[T*B,H]", "", ""));
  check_unchanged("order_packed", between("", " %h = neg(%p)", ", %h"));
  check_unchanged("order_packed", R"(graph(%x: f32[T,B,H], %n: s32[B]) {
      %p = pack(%x, %n)  %h = neg(%p)  %y = unpack(%h, %n) {steps=T} return %y })");
  check_unchanged("order_packed", R"(graph(%x: f32[B,T,H], %n: s32[B]) {
      %order, %places = length_order(%n)
      %p = pack(%x, %n) {by_sequence=true}  %h = neg(%p)
      %y = unpack(%h, %n) {steps=T, by_sequence=true} return %order, %y })");
}

TEST_CASE("order_packed: values are those of the order before") {
  check_keeps_values("order_packed", kArguments + R"(
      %order, %places = length_order(%n)
      %others, %there = length_order(%m)
      %p = pack(%x, %n)
      %h = matmul(%p, %W)
      %n1 = gather(%n, %order) {axis=0}
      %y = unpack(%h, %n; %places) {steps=T}
      %sN, %o = scan(%z; %y; %U; %n1) {axes=[0], out_axes=[0], reverse=true}
      )" + kBody + R"(
      %q = pack(%o, %n; %places)
      %g = matmul(%h, %q) {transpose_a=true}
      %back = unpack(%q, %n; %there) {steps=T}
      return %sN, %g, %back
    })");
}
