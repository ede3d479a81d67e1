// tests/reference/pool_test.cpp -- what pooling computes, and what it refuses.
#include "tests/reference/evaluate.h"

using namespace weft::test;

TEST_CASE(
    "max_pool: the greatest of each window, the first of equals and the first NaN, by index") {
  const auto r =
      run("graph(%x: f32[1,5,2]) { %y, %i = max_pool(%x) {window=[2], strides=[2], high=[1], "
          "indices=true} return %y, %i }",
          {floats({1, 5, 2}, {3, -kInf, 3, -kInf, 1, kNaN, kNaN, kNaN, -kInf, 7})});
  check_values(r[0], {1, 3, 2}, {3, -kInf, kNaN, kNaN, -kInf, 7});
  check_values(r[1], {1, 3, 2}, {0, 0, 3, 2, 4, 4});
}

TEST_CASE("max_pool: over two axes indices count row by row; padding is never the greatest") {
  const auto r =
      run("graph(%x: f32[1,2,2,1]) { %y, %i = max_pool(%x) {window=[2,2], low=[1,1], indices=true} "
          "return %y, %i }",
          {floats({1, 2, 2, 1}, {-1, -2, -3, -0.5})});
  check_values(r[0], {1, 2, 2, 1}, {-1, -1, -1, -0.5});
  check_values(r[1], {1, 2, 2, 1}, {0, 0, 0, 3});
}

TEST_CASE("avg_pool: the mean of what is there, or of the whole window with zeros") {
  const Array x = floats({1, 4, 1}, {2, 4, 6, 8});
  check_values(apply("avg_pool(%a) {window=[3], low=[1], high=[1]}", {x}), {1, 4, 1}, {3, 4, 6, 7});
  check_values(apply("avg_pool(%a) {window=[3], low=[1], high=[1], count_padding=true}", {x}),
               {1, 4, 1}, {2, 4, 6, 14.0 / 3}, 1e-15);
  check_values(apply("avg_pool(%a) {window=[2], strides=[3]}", {x}), {1, 1, 1}, {3});
  check_values(apply("avg_pool(%a) {window=[1]}", {floats({0, 2, 1}, {})}), {0, 2, 1}, {});
}

TEST_CASE("max_pool_grad: what several windows chose adds up") {
  check_values(apply("max_pool_grad(%a, %b) {size=[3]}",
                     {floats({1, 2, 2}, {1, 2, 3, 4}), ints({1, 2, 2}, {1, 0, 1, 2})}),
               {1, 3, 2}, {0, 2, 4, 0, 0, 4});
}

namespace {
std::string pool(const std::string& node, const std::string& x = "f32[1,4,1]") {
  return error_of([&] { weft::ir::parse("graph(%x: " + x + ") { %y = " + node + " return %y }"); });
}
}  // namespace

TEST_CASE("pool: label 1, floats of rank 3 to 5") {
  CHECK(mentions(pool("max_pool(%x) {window=[2]}", "s32[1,4,1]"), "[max_pool.1]"));
  CHECK(mentions(pool("avg_pool(%x) {window=[2]}", "f32[4,1]"), "[avg_pool.1]"));
}
TEST_CASE("pool: label 2, a window size for each axis; indices of dy's shape") {
  CHECK(mentions(pool("max_pool(%x) {window=[2,2]}"), "[max_pool.2]"));
  CHECK(mentions(error_of([] {
                   apply("max_pool_grad(%a, %b) {size=[3]}",
                         {floats({1, 2, 1}, {1, 2}), ints({1, 1, 1}, {1})});
                 }),
                 "[max_pool_grad.2]"));
}
TEST_CASE("pool: label 3, less padding than the window has elements") {
  CHECK(mentions(pool("avg_pool(%x) {window=[2], low=[2]}"),
                 "needs less padding than the window's 2 elements, found 2 and 0 along axis 1"));
}
TEST_CASE("pool: label 4, a size for each axis") {
  CHECK(mentions(pool("avg_pool_grad(%x) {size=[5,5], window=[2]}"), "[avg_pool_grad.4]"));
}
TEST_CASE("pool: label 5, at least one element") {
  CHECK(
      mentions(pool("max_pool(%x) {window=[2], low=[1], high=[1]}", "f32[1,0,1]"), "[max_pool.5]"));
}
TEST_CASE("pool: label 6, dy of as many positions as the window has") {
  CHECK(mentions(pool("avg_pool_grad(%x) {size=[6], window=[2]}"), "[avg_pool_grad.6]"));
}
TEST_CASE("pool: label w4, a window that fits") {
  CHECK(mentions(pool("avg_pool(%x) {window=[6], low=[1]}"), "[avg_pool.w4]"));
}
