// tests/reference/reduce_test.cpp -- what reductions, cumsum and arg_max compute.
#include "tests/reference/evaluate.h"

using namespace weft::test;

namespace {

const Array kX = floats({2, 3}, {1, 2, 3, 4, 5, 6});

}  // namespace

TEST_CASE("reductions: over one, several, all and no axes") {
  check_values(apply("sum(%a) {axes=[0]}", {kX}), {3}, {5, 7, 9});
  check_values(apply("sum(%a) {axes=[1], keep=true}", {kX}), {2, 1}, {6, 15});
  check_values(apply("sum(%a) {axes=[0,1]}", {kX}), {}, {21});
  check_values(apply("sum(%a) {axes=[]}", {kX}), {2, 3}, {1, 2, 3, 4, 5, 6});
  check_values(apply("sum(%a) {axes=[0,2]}", {floats({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8})}), {2},
               {14, 22});
  check_values(apply("mean(%a) {axes=[-1]}", {kX}), {2}, {2, 5});
  check_values(apply("prod(%a) {axes=[-1]}", {kX}), {2}, {6, 120});
  check_values(apply("max(%a) {axes=[0]}", {kX}), {3}, {4, 5, 6});
  check_values(apply("min(%a) {axes=[1]}", {kX}), {2}, {1, 4});
  check_values(apply("sum(%a) {axes=[]}", {floats({}, {3})}), {}, {3});
}

TEST_CASE("reductions: of nothing") {
  const Array none = floats({2, 0}, {});
  check_values(apply("sum(%a) {axes=[1]}", {none}), {2}, {0, 0});
  check_values(apply("prod(%a) {axes=[1]}", {none}), {2}, {1, 1});
  check_values(apply("mean(%a) {axes=[1]}", {none}), {2}, {kNaN, kNaN});
  check_values(apply("max(%a) {axes=[1]}", {none}), {2}, {-kInf, -kInf});
  check_values(apply("min(%a) {axes=[1]}", {none}), {2}, {kInf, kInf});
  check_values(apply("max(%a) {axes=[0]}", {ints({0}, {})}), {}, {INT32_MIN});
  check_values(apply("min(%a) {axes=[0]}", {ints({0}, {})}), {}, {INT32_MAX});
  check_values(apply("max(%a) {axes=[0]}", {array(DType::u8, {0}, {})}), {}, {0});
  check_values(apply("min(%a) {axes=[0]}", {array(DType::u32, {0}, {})}), {}, {4294967295.0});
  CHECK(apply("max(%a) {axes=[0]}", {longs({0}, {})}).integer_at(0) == INT64_MIN);
  CHECK(apply("min(%a) {axes=[0]}", {longs({0}, {})}).integer_at(0) == INT64_MAX);
  check_values(apply("sum(%a) {axes=[0]}", {none}), {0}, {});
}

TEST_CASE("max and min: NaN propagates, wherever it stands") {
  const Array x = floats({3, 3}, {kNaN, 1, 2, 1, kNaN, 2, 1, 2, kNaN});
  check_values(apply("max(%a) {axes=[1]}", {x}), {3}, {kNaN, kNaN, kNaN});
  check_values(apply("min(%a) {axes=[1]}", {x}), {3}, {kNaN, kNaN, kNaN});
}

TEST_CASE("sum and prod: integers wrap") {
  check_values(apply("sum(%a) {axes=[0]}", {array(DType::u8, {2}, {200, 100})}), {}, {44});
  check_values(apply("prod(%a) {axes=[0]}", {ints({2}, {65536, 65536})}), {}, {0});
}

TEST_CASE("cumsum: from either end, with or without the element itself") {
  check_values(apply("cumsum(%a)", {kX}), {2, 3}, {1, 3, 6, 4, 9, 15});
  check_values(apply("cumsum(%a) {axis=0}", {kX}), {2, 3}, {1, 2, 3, 5, 7, 9});
  check_values(apply("cumsum(%a) {exclusive=true}", {kX}), {2, 3}, {0, 1, 3, 0, 4, 9});
  check_values(apply("cumsum(%a) {reverse=true}", {kX}), {2, 3}, {6, 5, 3, 15, 11, 6});
  check_values(apply("cumsum(%a) {reverse=true, exclusive=true}", {ints({3}, {1, 2, 3})}), {3},
               {5, 3, 0});
}

TEST_CASE("arg_max: the first of equals; NaN counts as greatest") {
  check_values(apply("arg_max(%a)",
                     {floats({4, 3}, {1, 3, 3, -kInf, -kInf, -kInf, 1, kNaN, kNaN, 5, 2, 1})}),
               {4}, {1, 0, 1, 0});
  check_values(apply("arg_max(%a) {axis=0}", {ints({2, 2}, {1, 5, 2, 5})}), {2}, {1, 0});
  CHECK(apply("arg_max(%a)", {kX}).dtype() == DType::s32);
}

TEST_CASE("cumprod: products so far, from either end, with or without the element itself") {
  const Array x = floats({2, 3}, {2, 3, 4, 5, 0, 7});
  check_values(apply("cumprod(%a)", {x}), {2, 3}, {2, 6, 24, 5, 0, 0});
  check_values(apply("cumprod(%a) {reverse=true}", {x}), {2, 3}, {24, 12, 4, 0, 0, 7});
  check_values(apply("cumprod(%a) {exclusive=true}", {x}), {2, 3}, {1, 2, 6, 1, 5, 0});
  check_values(apply("cumprod(%a) {axis=0, exclusive=true, reverse=true}", {x}), {2, 3},
               {5, 0, 7, 1, 1, 1});
  check_values(apply("cumprod(%a)", {ints({3}, {1 << 20, 1 << 12, 3})}), {3}, {1 << 20, 0, 0});
}

TEST_CASE("linear_recurrence: each element is a multiple of the one before, and something more") {
  const Array a = floats({2, 3}, {9, 2, 3, 9, 0, 1}), b = floats({2, 3}, {1, 10, 100, 1, 2, 3});
  check_values(apply("linear_recurrence(%a, %b)", {a, b}), {2, 3}, {1, 12, 136, 1, 2, 5});
  check_values(apply("linear_recurrence(%a, %b) {reverse=true}", {a, b}), {2, 3},
               {1 + 9 * 210, 10 + 2 * 100, 100, 1 + 9 * 2, 2, 3});
  check_values(apply("linear_recurrence(%a, %b) {axis=0}", {a, b}), {2, 3},
               {1, 10, 100, 10, 2, 103});
}

TEST_CASE("cumprod: label 1, numbers") {
  CHECK(mentions(error_of([] { apply("cumprod(%a)", {preds({2}, {1, 0})}); }), "[cumprod.1]"));
}
TEST_CASE("cumprod: label 2, an axis in range") {
  CHECK(mentions(error_of([] {
                   apply("cumprod(%a) {axis=1}", {floats({2}, {1, 0})});
                 }),
                 "[cumprod.2]"));
}
TEST_CASE("linear_recurrence: labels 1 and 3, floats of one type") {
  CHECK(mentions(error_of([] {
                   apply("linear_recurrence(%a, %b)", {ints({2}, {1, 0}), ints({2}, {1, 0})});
                 }),
                 "[linear_recurrence.1]"));
  CHECK(mentions(error_of([] {
                   apply("linear_recurrence(%a, %b)", {floats({2}, {1, 0}), floats({1}, {1})});
                 }),
                 "[linear_recurrence.3]"));
}
