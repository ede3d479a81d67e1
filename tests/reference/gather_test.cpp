// tests/reference/gather_test.cpp -- what ops that index at run time compute.
#include "tests/reference/evaluate.h"

using namespace weft::test;

namespace {

const Array kTable = floats({3, 2}, {1, 2, 3, 4, 5, 6});

}  // namespace

TEST_CASE("gather: an embedding look-up") {
  check_values(apply("gather(%a, %b) {axis=0}", {kTable, ints({2, 2}, {2, 0, 0, 1})}), {2, 2, 2},
               {5, 6, 1, 2, 1, 2, 3, 4});
  check_values(apply("gather(%a, %b) {axis=0}", {kTable, longs({}, {1})}), {2}, {3, 4});
  check_values(apply("gather(%a, %b) {axis=0}", {kTable, ints({0}, {})}), {0, 2}, {});
}

TEST_CASE("gather: along another axis, and by batch") {
  check_values(apply("gather(%a, %b) {axis=1}", {kTable, ints({3}, {1, 1, 0})}), {3, 3},
               {2, 2, 1, 4, 4, 3, 6, 6, 5});
  check_values(apply("gather(%a, %b) {axis=1, batch=1}", {kTable, ints({3, 1}, {1, 0, 1})}), {3, 1},
               {2, 3, 6});
  // x[batch 2, middle 2, size 2, inner 1], indices[2]: x has its middle axis kept in front of the
  // place.
  check_values(apply("gather(%a, %b) {axis=2, batch=1}",
                     {ints({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}), ints({2}, {1, 0})}),
               {2, 2}, {2, 4, 5, 7});
}

TEST_CASE("gather: an index out of range is an error naming op, line, index and place") {
  const std::string error = error_of([] {
    apply("gather(%a, %b) {axis=0}", {kTable, ints({2, 2}, {0, 1, 2, 3})});
  });
  CHECK(mentions(
      error,
      "graph.ir:1: error: 'gather' needs indices in [0, 3), found 3 at indices[1,1] [gather.7]"));
  CHECK(mentions(error_of([] {
                   apply("gather(%a, %b) {axis=0}", {kTable, ints({1}, {-1})});
                 }),
                 "found -1 at indices[0]"));
}

TEST_CASE("scatter_add: repeated indices add up") {
  check_values(apply("scatter_add(%a, %b, %c) {axis=0}",
                     {kTable, ints({3}, {1, 1, 0}), floats({3, 2}, {10, 20, 30, 40, 50, 60})}),
               {3, 2}, {51, 62, 43, 64, 5, 6});
  check_values(
      apply("scatter_add(%a, %b, %c) {axis=1, batch=1}",
            {ints({2, 2}, {0, 0, 0, 0}), ints({2, 2}, {1, 1, 0, 1}), ints({2, 2}, {1, 2, 3, 4})}),
      {2, 2}, {0, 3, 3, 4});
  CHECK(mentions(
      error_of([] {
        apply("scatter_add(%a, %b, %c) {axis=0}", {kTable, ints({1}, {3}), floats({1, 2}, {1, 1})});
      }),
      "'scatter_add' needs indices in [0, 3), found 3 at indices[0] [scatter_add.7]"));
}

TEST_CASE("dynamic_slice and update_slice: the start is clamped to fit") {
  for (const auto& [start, first] :
       std::vector<std::pair<int64_t, double>>{{-5, 1}, {0, 1}, {1, 3}, {2, 3}})
    check_values(apply("dynamic_slice(%a, %b) {axis=0, size=2}", {kTable, ints({}, {start})}),
                 {2, 2}, {first, first + 1, first + 2, first + 3});
  const Array update = floats({3, 1}, {7, 8, 9});
  check_values(apply("update_slice(%a, %b, %c) {axis=1}", {kTable, update, ints({}, {0})}), {3, 2},
               {7, 2, 8, 4, 9, 6});
  check_values(apply("update_slice(%a, %b, %c) {axis=1}", {kTable, update, ints({}, {5})}), {3, 2},
               {1, 7, 3, 8, 5, 9});
}
