// tests/ir/array_test.cpp -- dense host arrays.
#include "ir/host/array.h"

#include "ir/error.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace weft::ir;

TEST_CASE("array: f16 rounds to nearest even and back") {
  for (const auto& [in, out] : {std::pair{1.0, 1.0},
                                {65504.0, 65504.0},
                                {65520.0, HUGE_VAL},
                                {0x1p-24, 0x1p-24},
                                {0x1p-26, 0.0},
                                {1.0 + 0x1p-11, 1.0},
                                {1.0 + 3 * 0x1p-11, 1.0 + 0x1p-9},
                                {-2.5, -2.5}}) {
    Array a(DType::f16, {1});
    a.set(0, in);
    CHECK(a.at(0) == out);
  }
}

TEST_CASE("array: bf16 keeps 8 bits of fraction") {
  Array a(DType::bf16, {2});
  a.set(0, 1.0 + 0x1p-9);
  a.set(1, -3.0);
  CHECK(a.at(0) == 1.0);
  CHECK(a.at(1) == -3.0);
}

TEST_CASE("array: sizes that overflow or are negative are refused before anything is allocated") {
  CHECK_THROWS_AS(Array(DType::f32, {int64_t{1} << 40, int64_t{1} << 40}), GraphError);
  CHECK_THROWS_AS(Array(DType::f32, {-1}), GraphError);
  CHECK(Array(DType::f32, {0, int64_t{1} << 40}).size() == 0);
}

TEST_CASE("array: copies share the buffer, clones do not") {
  Array a = Array::of<float>(DType::f32, {2}, {1, 2});
  Array shared = a, own = a.clone();
  a.set(0, 9);
  CHECK(shared.at(0) == 9);
  CHECK(own.at(0) == 1);
}

TEST_CASE("array: casting to integers truncates") {
  const Array a = Array::of<double>(DType::f64, {3}, {1.9, -1.9, 0.0}).cast(DType::s32);
  CHECK(a.integer_at(0) == 1);
  CHECK(a.integer_at(1) == -1);
}
