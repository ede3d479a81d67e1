// tests/passes/drop_ignored_rows_test.cpp -- rows that a loss leaves out need not be zeroed.
#include "ir/text/text.h"
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

using namespace weft;
using test::check_rewrite;
using test::check_unchanged;

TEST_CASE(
    "drop_ignored_rows: neither scores nor their gradients are zeroed where the weight is 0") {
  check_rewrite("drop_ignored_rows", R"(
    graph(%x: f32[T,B,V], %y: s32[T,B], %m: pred[T,B], %d: f32[T,B]) {
      %w = cast(%m) {dtype=f32}
      %c = reshape(%m) {shape=[T,B,1]}
      %z = select(%c, %x, 0)
      %l, %e = softmax_cross_entropy(%z, %y; %w)
      %g = softmax_cross_entropy_grad(%d, %z, %y, %e; %w)
      %h = select(%c, %g, 0)
      return %l, %h
    })",
                R"(
    graph(%x: f32[T,B,V], %y: s32[T,B], %m: pred[T,B], %d: f32[T,B]) {
      %w = cast(%m) {dtype=f32}
      %l, %e = softmax_cross_entropy(%x, %y; %w)
      %g = softmax_cross_entropy_grad(%d, %x, %y, %e; %w)
      return %l, %g
    })");
}

TEST_CASE("drop_ignored_rows: another mask, or none, holds it back") {
  const char* other = R"(
    graph(%x: f32[T,B,V], %y: s32[T,B], %m: pred[T,B], %n: pred[T,B]) {
      %w = cast(%n) {dtype=f32}
      %c = reshape(%m) {shape=[T,B,1]}
      %z = select(%c, %x, 0)
      %l, %e = softmax_cross_entropy(%z, %y; %w)
      return %l
    })";
  check_unchanged("drop_ignored_rows", other);
  ir::PassContext context;
  test::run("drop_ignored_rows", ir::parse(other), &context);
  CHECK(test::noted(context, ir::Note::Kind::near_miss, "zeroed by another mask"));
  check_unchanged("drop_ignored_rows", R"(
    graph(%x: f32[T,B,V], %y: s32[T,B], %m: pred[T,B]) {
      %c = reshape(%m) {shape=[T,B,1]}
      %z = select(%c, %x, 0)
      %l, %e = softmax_cross_entropy(%z, %y)
      return %l
    })");
}
