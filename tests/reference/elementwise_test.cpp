// tests/reference/elementwise_test.cpp -- what elementwise ops compute.
#include "tests/reference/evaluate.h"

using namespace weft::test;

TEST_CASE("abs, neg and sign: floats and integers") {
  check_values(apply("abs(%a)", {floats({3}, {-1.5, 0, 2})}), {3}, {1.5, 0, 2});
  check_values(apply("neg(%a)", {ints({2}, {3, INT32_MIN})}), {2}, {-3, INT32_MIN});
  check_values(apply("abs(%a)", {ints({2}, {-3, INT32_MIN})}), {2}, {3, INT32_MIN});
  check_values(apply("neg(%a)", {array(DType::u8, {1}, {1})}), {1}, {255});
  check_values(apply("sign(%a)", {floats({4}, {-7, 0, 0.5, kNaN})}), {4}, {-1, 0, 1, kNaN});
  check_values(apply("sign(%a)", {ints({3}, {-7, 0, 5})}), {3}, {-1, 0, 1});
}

TEST_CASE("round: halves go to the even neighbour") {
  check_values(
      apply("round(%a)", {floats({9}, {0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 2.4, -2.6, kInf})}), {9},
      {0, 2, 2, 0, -2, -2, 2, -3, kInf});
  check_values(apply("floor(%a)", {floats({2}, {-0.5, 1.5})}), {2}, {-1, 1});
  check_values(apply("ceil(%a)", {floats({2}, {-1.5, 1.5})}), {2}, {-1, 2});
}

TEST_CASE("exponentials and activations: values by hand, and no overflow far out") {
  const double e = std::exp(1.0), t = 1e-15;
  check_values(apply("exp(%a)", {floats({2}, {0, 1})}), {2}, {1, e}, t);
  check_values(apply("expm1(%a)", {floats({2}, {1e-20, 1})}), {2}, {1e-20, e - 1}, t);
  check_values(apply("log(%a)", {floats({3}, {e, 1, 0})}), {3}, {1, 0, -kInf}, t);
  check_values(apply("log1p(%a)", {floats({1}, {1e-20})}), {1}, {1e-20});
  check_values(apply("sqrt(%a)", {floats({2}, {9, -1})}), {2}, {3, kNaN});
  check_values(apply("rsqrt(%a)", {floats({1}, {16})}), {1}, {0.25});
  check_values(apply("sin(%a)", {floats({1}, {M_PI / 6})}), {1}, {0.5}, t);
  check_values(apply("cos(%a)", {floats({1}, {M_PI / 3})}), {1}, {0.5}, t);
  check_values(apply("tanh(%a)", {floats({2}, {0, 1000})}), {2}, {0, 1});
  check_values(apply("sigmoid(%a)", {floats({4}, {0, 1000, -1000, kNaN})}), {4}, {0.5, 1, 0, kNaN});
  check_values(apply("softplus(%a)", {floats({4}, {0, 1000, -1000, kNaN})}), {4},
               {std::log(2.0), 1000, 0, kNaN}, t);
  check_values(apply("relu(%a)", {floats({4}, {-1, 0, 2, kNaN})}), {4}, {0, 0, 2, kNaN});
  check_values(apply("silu(%a)", {floats({2}, {0, 1000})}), {2}, {0, 1000});
  check_values(apply("erf(%a)", {floats({2}, {0, 10})}), {2}, {0, 1});
  check_values(apply("gelu(%a)", {floats({3}, {-100, 0, 100})}), {3}, {0, 0, 100});
  check_values(apply("gelu_tanh(%a)", {floats({3}, {-100, 0, 100})}), {3}, {0, 0, 100});
}

TEST_CASE("is_finite and the logical ops") {
  check_values(apply("is_finite(%a)", {floats({3}, {1, -kInf, kNaN})}), {3}, {1, 0, 0});
  const Array a = preds({4}, {0, 0, 1, 1}), b = preds({4}, {0, 1, 0, 1});
  check_values(apply("logical_not(%a)", {a}), {4}, {1, 1, 0, 0});
  check_values(apply("logical_and(%a, %b)", {a, b}), {4}, {0, 0, 0, 1});
  check_values(apply("logical_or(%a, %b)", {a, b}), {4}, {0, 1, 1, 1});
  check_values(apply("logical_xor(%a, %b)", {a, b}), {4}, {0, 1, 1, 0});
}

TEST_CASE("binary ops: a literal 1 and missing axes broadcast") {
  check_values(apply("add(%a, %b)", {floats({2, 1}, {10, 20}), floats({3}, {1, 2, 3})}), {2, 3},
               {11, 12, 13, 21, 22, 23});
  check_values(apply("sub(%a, %b)", {floats({}, {1}), floats({2}, {1, 2})}), {2}, {0, -1});
  check_values(apply("mul(%a, %b)", {floats({0, 3}, {}), floats({3}, {1, 2, 3})}), {0, 3}, {});
  check_values(apply("mul(%a, %b)", {floats({1, 3}, {1, 2, 3}), floats({0, 1}, {})}), {0, 3}, {});
  check_values(apply("add(%a, %b)", {floats({}, {1}), floats({}, {2})}), {}, {3});
}

TEST_CASE("maximum and minimum: NaN in either operand stays") {
  const Array a = floats({4}, {1, kNaN, 1, -kInf}), b = floats({4}, {2, 1, kNaN, 0});
  check_values(apply("maximum(%a, %b)", {a, b}), {4}, {2, kNaN, kNaN, 0});
  check_values(apply("minimum(%a, %b)", {a, b}), {4}, {1, kNaN, kNaN, -kInf});
  check_values(apply("maximum(%a, %b)", {ints({2}, {1, -5}), ints({2}, {2, -6})}), {2}, {2, -5});
}

TEST_CASE("integers: wrap to their width") {
  check_values(apply("add(%a, %b)", {ints({1}, {INT32_MAX}), ints({1}, {1})}), {1}, {INT32_MIN});
  check_values(apply("mul(%a, %b)", {array(DType::u8, {1}, {16}), array(DType::u8, {1}, {17})}),
               {1}, {16});
  check_values(apply("sub(%a, %b)", {array(DType::u32, {1}, {0}), array(DType::u32, {1}, {1})}),
               {1}, {4294967295.0});
  const Array sum = apply("add(%a, %b)", {longs({1}, {INT64_MAX}), longs({1}, {1})});
  CHECK(sum.integer_at(0) == INT64_MIN);
}

TEST_CASE("div: integers truncate; the lowest by -1 wraps; by zero is an error") {
  check_values(apply("div(%a, %b)", {ints({4}, {7, -7, 7, -7}), ints({4}, {2, 2, -2, -2})}), {4},
               {3, -3, -3, 3});
  CHECK(apply("div(%a, %b)", {longs({1}, {INT64_MIN}), longs({1}, {-1})}).integer_at(0) ==
        INT64_MIN);
  check_values(apply("div(%a, %b)", {ints({1}, {INT32_MIN}), ints({1}, {-1})}), {1}, {INT32_MIN});
  check_values(apply("div(%a, %b)", {floats({3}, {1, -1, 0}), floats({}, {0})}), {3},
               {kInf, -kInf, kNaN});
  const std::string error = error_of([] {
    apply("div(%a, %b)", {ints({2}, {1, 2}), ints({2}, {1, 0})});
  });
  CHECK(mentions(error, "'div' divides an integer by zero [binary.4]"));
  CHECK(mentions(error, "graph.ir:1"));
  CHECK(error_of([] { apply("div(%a, %b)", {ints({0}, {}), ints({}, {0})}); }).empty());
}

TEST_CASE("remainder: has the sign of the divisor") {
  check_values(apply("remainder(%a, %b)", {ints({4}, {7, -7, 7, -7}), ints({4}, {3, 3, -3, -3})}),
               {4}, {1, 2, -2, -1});
  check_values(
      apply("remainder(%a, %b)", {floats({4}, {5.5, -5.5, 5.5, 6}), floats({4}, {2, 2, -2, 3})}),
      {4}, {1.5, 0.5, -0.5, 0});
  CHECK(apply("remainder(%a, %b)", {longs({1}, {INT64_MIN}), longs({1}, {-1})}).integer_at(0) == 0);
  CHECK(mentions(error_of([] {
                   apply("remainder(%a, %b)", {ints({1}, {1}), ints({1}, {0})});
                 }),
                 "binary.4"));
}

TEST_CASE("pow: floats, and integers by repeated multiplication") {
  check_values(apply("pow(%a, %b)", {floats({3}, {2, 4, -1}), floats({3}, {3, 0.5, 0.5})}), {3},
               {8, 2, kNaN});
  check_values(apply("pow(%a, %b)", {ints({5}, {3, 2, -1, 0, 2}), ints({5}, {4, 31, -3, 0, -1})}),
               {5}, {81, INT32_MIN, -1, 1, 0});
  CHECK(mentions(error_of([] {
                   apply("pow(%a, %b)", {ints({1}, {0}), ints({1}, {-1})});
                 }),
                 "binary.4"));
}

TEST_CASE("comparisons: NaN is unequal to everything") {
  const Array a = floats({4}, {1, 2, 3, kNaN}), b = floats({4}, {2, 2, 2, kNaN});
  check_values(apply("equal(%a, %b)", {a, b}), {4}, {0, 1, 0, 0});
  check_values(apply("not_equal(%a, %b)", {a, b}), {4}, {1, 0, 1, 1});
  check_values(apply("less(%a, %b)", {a, b}), {4}, {1, 0, 0, 0});
  check_values(apply("less_equal(%a, %b)", {a, b}), {4}, {1, 1, 0, 0});
  check_values(apply("greater(%a, %b)", {a, b}), {4}, {0, 0, 1, 0});
  check_values(apply("greater_equal(%a, %b)", {a, b}), {4}, {0, 1, 1, 0});
  CHECK(apply("equal(%a, %b)", {a, b}).dtype() == DType::pred);
}

TEST_CASE("select: what is not chosen never leaks") {
  check_values(
      apply("select(%a, %b, %c)", {preds({2, 1}, {1, 0}), floats({2}, {1, 2}), floats({}, {kNaN})}),
      {2, 2}, {1, 2, kNaN, kNaN});
  check_values(apply("select(%a, %b, %c)",
                     {preds({2}, {1, 0}), floats({2}, {1, kNaN}), floats({2}, {kNaN, 4})}),
               {2}, {1, 4});
  check_values(
      apply("select(%a, %b, %c)", {preds({2}, {1, 0}), ints({2}, {1, 2}), ints({2}, {3, 4})}), {2},
      {1, 4});
}

TEST_CASE("cast: f32 keeps the double, f16 and bf16 round, integers truncate") {
  check_values(apply("cast(%a) {dtype=f32}", {floats({1}, {0.1})}), {1}, {0.1});
  check_values(apply("cast(%a) {dtype=f16}", {floats({2}, {0.1, 1e6})}), {2},
               {0.0999755859375, kInf});
  check_values(apply("cast(%a) {dtype=bf16}", {floats({1}, {0.1})}), {1}, {0.10009765625});
  check_values(apply("cast(%a) {dtype=s32}", {floats({5}, {1.9, -1.9, 1e10, -kInf, kNaN})}), {5},
               {1, -1, INT32_MAX, INT32_MIN, 0});
  check_values(apply("cast(%a) {dtype=u8}", {floats({3}, {-0.5, 300, -7})}), {3}, {0, 255, 0});
  CHECK(apply("cast(%a) {dtype=s64}", {floats({1}, {1e30})}).integer_at(0) == INT64_MAX);
  check_values(apply("cast(%a) {dtype=u8}", {ints({3}, {257, -1, 7})}), {3}, {1, 255, 7});
  check_values(apply("cast(%a) {dtype=pred}", {floats({4}, {0, 0.5, -2, kNaN})}), {4},
               {0, 1, 1, 1});
  check_values(apply("cast(%a) {dtype=pred}", {ints({3}, {0, 2, -1})}), {3}, {0, 1, 1});
  check_values(apply("cast(%a) {dtype=f32}", {preds({2}, {0, 1})}), {2}, {0, 1});
}
