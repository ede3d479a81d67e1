// tests/passes/top_k_test.cpp -- log-softmax and the choice of its best become one op.
#include "tests/support/check_rewrite.h"

#include <doctest/doctest.h>

using namespace weft::test;

TEST_CASE("fuse_top_k: log_softmax is taken into top_k") {
  const char* before =
      "graph(%x: f32[B,7]) { %y = log_softmax(%x) %v, %i = top_k(%y) {k=3} return %v, %i }";
  check_rewrite("fuse_top_k", before,
                "graph(%x: f32[B,7]) { %v, %i = log_softmax_top_k(%x) {k=3} return %v, %i }");
  check_keeps_values("fuse_top_k", before);
}

TEST_CASE("fuse_top_k: log-probabilities that are read elsewhere or of another axis hold it back") {
  check_unchanged(
      "fuse_top_k",
      "graph(%x: f32[B,7]) { %y = log_softmax(%x) %v, %i = top_k(%y) {k=3} return %v, %i, %y }");
  check_unchanged(
      "fuse_top_k",
      "graph(%x: f32[B,7]) { %y = log_softmax(%x) {axis=0} %v, %i = top_k(%y) {k=3} return %v }");
}
