// tests/reference/scan_test.cpp -- what scan and custom_vjp compute.
#include "tests/reference/evaluate.h"

using namespace weft::test;

namespace {

// Running sums of x: f32[T,B]: the final sum, and every sum on the way.
std::string running_sum(const std::string& attrs) {
  return "graph(%s: f32[B], %x: f32[T,B]) { %last, %all = scan(%s; %x;) {axes=[0], out_axes=[0]" +
         attrs + "} (%c, %xt) { %n = add(%c, %xt) yield %n; %n } return %last, %all }";
}

// The same with lengths; the body divides by whether the row is live, so ended rows make inf or
// NaN.
std::string masked_sum(const std::string& attrs) {
  return "graph(%s: f32[B], %x: f32[T,B], %l: s32[B]) { %last, %all = scan(%s; %x; ; %l) "
         "{axes=[0], out_axes=[0]" +
         attrs +
         "} (%c, %xt, %live) { %one = cast(%live) {dtype=f32} %q = div(%xt, %one) %n = add(%c, %q) "
         "yield %n; %n }"
         " return %last, %all }";
}

const Array kStart = floats({2}, {100, 200}), kX = floats({3, 2}, {1, 2, 3, 4, 5, 6});

}  // namespace

TEST_CASE("scan: carries go from step to step, outputs are stacked") {
  const auto y = run(running_sum(""), {kStart, kX});
  check_values(y[0], {2}, {109, 212});
  check_values(y[1], {3, 2}, {101, 202, 104, 206, 109, 212});
}

TEST_CASE("scan: in reverse, outputs stay at their position") {
  const auto y = run(running_sum(", reverse=true"), {kStart, kX});
  check_values(y[0], {2}, {109, 212});
  check_values(y[1], {3, 2}, {109, 212, 108, 210, 105, 206});
}

TEST_CASE("scan: no steps leave the carries and stack nothing") {
  const auto y = run(running_sum(""), {kStart, floats({0, 2}, {})});
  check_values(y[0], {2}, {100, 200});
  check_values(y[1], {0, 2}, {});
}

TEST_CASE("scan: other axes in and out") {
  const auto y =
      run("graph(%s: f32[B], %x: f32[B,T]) { %last, %all = scan(%s; %x;) {axes=[1], out_axes=[1]}"
          " (%c, %xt) { %n = add(%c, %xt) yield %n; %n } return %last, %all }",
          {floats({2}, {0, 0}), floats({2, 3}, {1, 2, 3, 4, 5, 6})});
  check_values(y[0], {2}, {6, 15});
  check_values(y[1], {2, 3}, {1, 3, 6, 4, 9, 15});
}

TEST_CASE("scan: steps without scanned inputs, invariants, integer carries") {
  const auto y =
      run("graph(%s: s32[], %k: s32[]) { %last, %all = scan(%s; ; %k) {out_axes=[0], steps=N}"
          " (%c, %k) { %n = mul(%c, %k) yield %n; %c } return %last, %all }",
          {ints({}, {1}), ints({}, {3})}, {{"N", 4}});
  check_values(y[0], {}, {81});
  check_values(y[1], {4}, {1, 3, 9, 27});
}

TEST_CASE(
    "scan: rows that have ended keep their carry and give zeros, even where the body makes NaN") {
  const auto y = run(masked_sum(""), {kStart, kX, ints({2}, {1, 3})});
  check_values(y[0], {2}, {101, 212});
  check_values(y[1], {3, 2}, {101, 202, 0, 206, 0, 212});
}

TEST_CASE("scan: in reverse a short row starts late") {
  const auto y = run(masked_sum(", reverse=true"), {kStart, kX, ints({2}, {2, 3})});
  check_values(y[0], {2}, {104, 212});
  check_values(y[1], {3, 2}, {104, 212, 103, 210, 0, 206});
}

TEST_CASE("scan: lengths of 0 or less do nothing, lengths beyond the steps change nothing") {
  const auto y = run(masked_sum(""), {kStart, kX, ints({2}, {0, 99})});
  check_values(y[0], {2}, {100, 212});
  check_values(y[1], {3, 2}, {0, 202, 0, 206, 0, 212});
  check_values(run(masked_sum(""), {kStart, kX, ints({2}, {-1, -5})})[0], {2}, {100, 200});
}

TEST_CASE("scan: a carry that is no row is the body's business, even if its size happens to be B") {
  const auto y =
      run("graph(%s: f32[H], %x: f32[T,B], %l: s32[B]) { %last = scan(%s; %x; ; %l) {axes=[0]}"
          " (%c, %xt, %live) { %n = add(%c, 1) yield %n; } return %last }",
          {floats({2}, {0, 0}), kX, ints({2}, {0, 1})});
  check_values(y[0], {2}, {3, 3});
}

TEST_CASE("scan: nested") {
  const auto y =
      run("graph(%s: f32[], %x: f32[T,U]) { %last, %rows = scan(%s; %x;) {axes=[0], out_axes=[0]} "
          "(%c, %row) {"
          "   %n, %sums = scan(%c; %row;) {axes=[0], out_axes=[0], reverse=true} (%d, %e) { %f = "
          "add(%d, %e) yield %f; %f }"
          "   yield %n; %sums } return %last, %rows }",
          {floats({}, {0}), floats({2, 3}, {1, 2, 3, 4, 5, 6})});
  check_values(y[0], {}, {21});
  check_values(y[1], {2, 3}, {6, 5, 3, 21, 17, 12});
}

TEST_CASE("custom_vjp: means its first region") {
  const auto y =
      run("graph(%x: f32[N]) { %y = custom_vjp(%x) (%a) { %b = mul(%a, %a) yield %b } (%a, %b, "
          "%db) { %da = neg(%db) yield %da }"
          " return %y }",
          {floats({2}, {3, 4})});
  check_values(y[0], {2}, {9, 16});
}
