// tests/reference/sort_test.cpp -- what sort computes, and what it refuses.
#include "tests/reference/evaluate.h"

using namespace weft::test;

namespace {

std::vector<Array> sort(const std::string& x, const std::string& op, const Array& value) {
  return run("graph(%x: " + x + ") { %v, %i = " + op + " return %v, %i }", {value});
}

}  // namespace

TEST_CASE("sort: the least first, equals as they stood, NaN last") {
  const auto r = sort("f32[8]", "sort(%x)", floats({8}, {kNaN, 2, kInf, 0, -kInf, -0.0, 2, kNaN}));
  check_values(r[0], {8}, {-kInf, 0, -0.0, 2, 2, kInf, kNaN, kNaN});
  check_values(r[1], {8}, {4, 3, 5, 1, 6, 2, 0, 7});
  CHECK(r[1].dtype() == weft::ir::DType::s32);
}

TEST_CASE("sort: descending, equals as they stood all the same, NaN first") {
  const auto r =
      sort("f32[6]", "sort(%x) {descending=true}", floats({6}, {1, 3, kNaN, 3, -0.0, 0}));
  check_values(r[0], {6}, {kNaN, 3, 3, 1, -0.0, 0});
  check_values(r[1], {6}, {2, 1, 3, 0, 4, 5});
}

TEST_CASE("sort: along any axis; integers; nothing; one") {
  const auto r = sort("s32[3,2]", "sort(%x) {axis=0}", ints({3, 2}, {5, -1, 2, 7, 5, -9}));
  check_values(r[0], {3, 2}, {2, -9, 5, -1, 5, 7});
  check_values(r[1], {3, 2}, {1, 2, 0, 0, 2, 1});
  check_values(sort("f32[2,0]", "sort(%x)", floats({2, 0}, {}))[0], {2, 0}, {});
  check_values(sort("f32[2,1]", "sort(%x)", floats({2, 1}, {4, 3}))[0], {2, 1}, {4, 3});
}

TEST_CASE("sort: label 1, numbers") {
  CHECK(mentions(error_of([] { sort("pred[2]", "sort(%x)", preds({2}, {1, 0})); }), "[sort.1]"));
}
TEST_CASE("sort: label 2, an axis in range") {
  CHECK(mentions(error_of([] {
                   sort("f32[2]", "sort(%x) {axis=1}", floats({2}, {1, 0}));
                 }),
                 "[sort.2]"));
}
TEST_CASE("sort: label 3, not more elements than s32 can count") {
  CHECK(mentions(error_of([] {
                   weft::ir::parse("graph(%x: f32[3000000000]) { %v, %i = sort(%x) return %v }");
                 }),
                 "[sort.3]"));
}
