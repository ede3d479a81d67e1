// tests/onednn/tensor_test.cpp -- strides, and the arena.
#include "backends/onednn/plan/tensor.h"

#include "backends/onednn/plan/arena.h"

#include <doctest/doctest.h>

using namespace weft::onednn;
using weft::ir::DType;

TEST_CASE("tensor: a reshape follows strides where runs of axes lie evenly") {
  const Tensor t = dense(DType::f32, {4, 6}, {});
  CHECK(reshaped(t, {2, 2, 6})->strides == Dims{12, 6, 1});
  CHECK(reshaped(t, {24})->strides == Dims{1});
  CHECK(reshaped(t, {3, 8})->strides == Dims{8, 1});
  const Tensor padded{DType::f32, {4, 6}, {10, 1}, {}};
  CHECK(reshaped(padded, {2, 2, 6})->strides == Dims{20, 10, 1});
  CHECK(reshaped(padded, {4, 1, 2, 3})->strides == Dims{10, 6, 3, 1});
  CHECK_FALSE(reshaped(padded, {24}).has_value());
  CHECK_FALSE(reshaped(transposed(t), {24}).has_value());
  CHECK(reshaped(dense(DType::f32, {0, 3}, {}), {3, 0, 2}).has_value());
  CHECK(reshaped(broadcast_to(dense(DType::f32, {1}, {}), {4, 6}), {24})->strides == Dims{0});
}

TEST_CASE("tensor: layouts from any to dense") {
  const Tensor t = dense(DType::f32, {2, 3, 4}, {});
  CHECK(fits(Layout::dense, t));
  CHECK(fits(Layout::matrix, transposed(t)));
  CHECK_FALSE(fits(Layout::inner, transposed(t)));
  const Tensor padded{DType::f32, {2, 3, 4}, {24, 8, 1}, {}};
  CHECK(fits(Layout::rows, padded));
  CHECK_FALSE(fits(Layout::dense, padded));
  const Tensor odd{DType::f32, {2, 3, 4}, {100, 8, 1}, {}};
  CHECK(fits(Layout::inner, odd));
  CHECK_FALSE(fits(Layout::rows, odd));
  const Tensor reversed{DType::f32, {4}, {-1}, {}};
  CHECK_FALSE(fits(Layout::inner, reversed));
  CHECK(fits(Layout::any, reversed));
}

TEST_CASE("tensor: rows of 512 floats are padded by 16") {
  CHECK(padded_strides({4, 512}, DType::f32) == Dims{528, 1});
  CHECK(padded_strides({2, 4, 1024}, DType::f32) == Dims{4160, 1040, 1});
  CHECK(padded_strides({4, 500}, DType::f32) == Dims{500, 1});
  CHECK(padded_strides({512}, DType::f32) == Dims{1});
}

TEST_CASE("tensor: axes that lie evenly in all tensors collapse") {
  Tensor a = dense(DType::f32, {2, 1, 3, 4}, {}),
         b = broadcast_to(dense(DType::f32, {1, 4}, {}), {2, 1, 3, 4});
  collapse({&a, &b});
  CHECK(a.dims == Dims{6, 4});
  CHECK(b.strides == Dims{0, 1});
}

TEST_CASE("arena: memory that was touched is taken before memory that was not") {
  Arena arena;
  const int64_t rows = arena.take(1024, 512), dense = arena.take(512), end = arena.take(64);
  arena.give_back(rows, 1024);
  CHECK(arena.take(512) == rows);
  arena.give_back(dense, 512);  // [512, 1536) is free, its second half touched
  CHECK(arena.take(256) == dense);
  CHECK(arena.take(512, 128) == 512);  // nowhere are 512 left but over the untouched
  CHECK(arena.take(256) == dense + 256);
  CHECK(end == 1536);
  CHECK(arena.peak() == 1600);
}

TEST_CASE("arena: best fit, joined gaps, a peak") {
  Arena arena;
  const int64_t a = arena.take(100), b = arena.take(64), c = arena.take(300), d = arena.take(1);
  CHECK(arena.peak() == 128 + 64 + 320 + 64);
  arena.give_back(b, 64);
  arena.give_back(c, 300);
  CHECK(arena.take(380) == b);
  arena.give_back(a, 100);
  CHECK(arena.take(10) == a);
  CHECK(arena.take(64) == a + 64);
  arena.give_back(d, 1);
  CHECK(arena.take(64) == d);
  CHECK(arena.peak() == 128 + 64 + 320 + 64);
}
