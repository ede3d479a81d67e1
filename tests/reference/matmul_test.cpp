// tests/reference/matmul_test.cpp -- what matmul and linear compute.
#include "tests/reference/evaluate.h"

using namespace weft::test;

namespace {

const Array kA = floats({2, 3}, {1, 2, 3, 4, 5, 6}), kB = floats({3, 2}, {1, 0, 0, 1, 1, 1});

}  // namespace

TEST_CASE("matmul: plain and transposed") {
  check_values(apply("matmul(%a, %b)", {kA, kB}), {2, 2}, {4, 5, 10, 11});
  check_values(apply("matmul(%a, %b) {transpose_b=true}", {kA, kA}), {2, 2}, {14, 32, 32, 77});
  check_values(apply("matmul(%a, %b) {transpose_a=true}", {kA, kA}), {3, 3},
               {17, 22, 27, 22, 29, 36, 27, 36, 45});
  check_values(apply("matmul(%a, %b) {transpose_a=true, transpose_b=true}", {kB, kA}), {2, 2},
               {4, 10, 5, 11});
}

TEST_CASE("matmul: leading axes broadcast") {
  const Array x = floats({2, 1, 1, 2}, {1, 2, 3, 4}), y = floats({2, 2, 1}, {1, 1, 10, 1});
  check_values(apply("matmul(%a, %b)", {x, y}), {2, 2, 1, 1}, {3, 12, 7, 34});
  check_values(apply("matmul(%a, %b)", {floats({2, 1, 2}, {1, 2, 3, 4}), floats({2, 1}, {1, 1})}),
               {2, 1, 1}, {3, 7});
}

TEST_CASE("matmul: empty sums are zero, empty results are empty") {
  check_values(apply("matmul(%a, %b)", {floats({2, 0}, {}), floats({0, 1}, {})}), {2, 1}, {0, 0});
  check_values(apply("matmul(%a, %b)", {floats({0, 2}, {}), floats({2, 1}, {1, 2})}), {0, 1}, {});
  check_values(apply("matmul(%a, %b)", {floats({0, 1, 2}, {}), floats({2, 1}, {1, 2})}), {0, 1, 1},
               {});
}

TEST_CASE("matmul: integers are exact and wrap; NaN spreads along its row only") {
  const int64_t big = int64_t{1} << 62;
  const Array product =
      apply("matmul(%a, %b)", {longs({1, 3}, {big, big, 3}), longs({3, 1}, {2, 2, 1})});
  CHECK(product.integer_at(0) == 3);
  check_values(apply("matmul(%a, %b)", {ints({1, 1}, {65536}), ints({1, 1}, {65537})}), {1, 1},
               {65536});
  check_values(apply("matmul(%a, %b)", {floats({2, 1}, {kNaN, 2}), floats({1, 1}, {3})}), {2, 1},
               {kNaN, 6});
}

TEST_CASE("linear: its expansion") {
  check_values(apply("linear(%a, %b; %c) {activation=\"relu\"}", {kA, kB, floats({2}, {-5, 0})}),
               {2, 2}, {0, 5, 5, 11});
  check_values(apply("linear(%a, %b) {transpose_b=true}", {floats({3}, {1, 0, -1}), kA}), {2},
               {-2, -2});
}

// 1 + 2^-8 is rounded to 1, 1 + 3 * 2^-8 to 1 + 2^-6; their product with 1.5 is exact.
TEST_CASE("matmul: of bf16 is a sum in full precision of what bf16 holds") {
  const std::string head =
      "graph(%a: f32[1,2], %b: f32[2,1]) { %p = cast(%a) {dtype=bf16} %q = cast(%b) {dtype=bf16} ";
  const Array a = floats({1, 2}, {1.00390625, 1.01171875}), b = floats({2, 1}, {1, 1.5});
  check_values(run(head + "%y = matmul(%p, %q) : f32[1,1] return %y }", {a, b})[0], {1, 1},
               {1 + 1.5 * 1.015625});
  check_values(run(head + "%y = linear(%p, %q) {rounded=true} : bf16[1,1] return %y }", {a, b})[0],
               {1, 1}, {2.53125});
}

TEST_CASE("cells: what is multiplied with weights of bf16 is rounded to it") {
  // s U, all gates open: h = tanh of what is left; the state 1 + 2^-8 counts as 1 in its product.
  const Array g = floats({1, 4}, {0, 0, 0, 0}), h = floats({1, 1}, {1.00390625}),
              c = floats({1, 1}, {0}), u = floats({1, 4}, {0, 0, 1, 0});
  const auto of = [&](const std::string& weight) {
    return run(
        "graph(%g: f32[1,4], %h: f32[1,1], %c: f32[1,1], %U: f32[1,4]) { "
        "%V = cast(%U) {dtype=bf16} %h1, %c1 = lstm_cell(%g, %h, %c, " +
            weight + ") return %c1 }",
        {g, h, c, u})[0];
  };
  check_values(of("%U"), {1, 1}, {0.5 * std::tanh(1.00390625)}, 1e-12);
  check_values(of("%V"), {1, 1}, {0.5 * std::tanh(1.0)}, 1e-12);
}
