// tests/reference/random_test.cpp -- random numbers depend on their counter alone.
#include "tests/reference/evaluate.h"

#include <Random123/philox.h>

using namespace weft::test;

namespace {

Array bits(int64_t step, const std::vector<int64_t>& rows, const std::string& attrs) {
  return apply("random(%a, %b) {" + attrs + "}",
               {longs({}, {step}), longs({static_cast<int64_t>(rows.size())}, rows)});
}

}  // namespace

TEST_CASE("random: the published test vector of Philox4x32-10 at zero") {
  check_values(bits(0, {0}, "stream=0, inner=[4]"), {1, 4},
               {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
}

TEST_CASE("random: the counter is (element/4, position, row id, step), the key is the stream") {
  const int64_t stream = 0x123456789abcdef0, step = 0x7fabcdef, row = 0x5512345678;
  const Array y = apply("random(%a, %b; %c) {stream=" + std::to_string(stream) + ", inner=[8]}",
                        {longs({}, {step}), longs({1}, {row}), ints({1}, {77})});
  const r123::Philox4x32::ctr_type block =
      r123::Philox4x32()({{1, 77, 0x12345678, 0x55abcdef}}, {{0x9abcdef0, 0x12345678}});
  for (int64_t i = 0; i < 4; ++i) CHECK(y.integer_at(4 + i) == block[static_cast<size_t>(i)]);
}

TEST_CASE(
    "random: an element depends on stream, step, row id, position and its place, not on the "
    "batch") {
  const Array all = bits(5, {7, 1000000007, 3}, "stream=11, inner=[2,3]");
  CHECK(all.dims() == Dims{3, 2, 3});
  const Array one = bits(5, {1000000007}, "stream=11, inner=[2,3]");
  for (int64_t i = 0; i < 6; ++i) CHECK(one.integer_at(i) == all.integer_at(6 + i));
  CHECK(bits(6, {7}, "stream=11, inner=[2,3]").integer_at(0) != all.integer_at(0));
  CHECK(bits(5, {7}, "stream=12, inner=[2,3]").integer_at(0) != all.integer_at(0));

  const Array placed = apply("random(%a, %b; %c) {stream=11, inner=[2,3]}",
                             {longs({}, {5}), longs({2}, {7, 3}), ints({2}, {4, 0})});
  CHECK(placed.dims() == Dims{2, 2, 2, 3});
  for (int64_t i = 0; i < 6; ++i) {
    CHECK(placed.integer_at(12 + i) == all.integer_at(i));  // position 0 is what no position means
    CHECK(placed.integer_at(18 + i) == all.integer_at(12 + i));
  }
  CHECK(placed.integer_at(0) != all.integer_at(0));
}

TEST_CASE("random: uniform and keep are made of the same words") {
  const Array words = bits(1, {0, 1}, "stream=3, inner=[100]");
  const Array uniform = bits(1, {0, 1}, "stream=3, inner=[100], form=\"uniform\"");
  const Array keep = bits(1, {0, 1}, "stream=3, inner=[100], form=\"keep\", keep=0.75");
  int64_t kept = 0;
  for (int64_t i = 0; i < 200; ++i) {
    CHECK(uniform.at(i) == std::floor(words.at(i) / 256) / 16777216);
    CHECK(keep.integer_at(i) == (words.at(i) < 0.75 * 4294967296));
    kept += keep.integer_at(i);
  }
  CHECK(kept > 120);
  CHECK(kept < 180);
  const Array everything = bits(1, {0}, "stream=3, inner=[100], form=\"keep\"");
  for (int64_t i = 0; i < 100; ++i) CHECK(everything.integer_at(i) == 1);
}
