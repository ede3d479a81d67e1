// tests/reference/top_k_test.cpp -- what top_k computes, and what it refuses.
#include "tests/reference/evaluate.h"

using namespace weft::test;

namespace {

std::vector<Array> top_k(const std::string& x, const std::string& op, const Array& value) {
  return run("graph(%x: " + x + ") { %v, %i = " + op + " return %v, %i }", {value});
}

}  // namespace

TEST_CASE("top_k: sorted from the greatest down, of equals the first, with indices") {
  const auto r =
      top_k("f32[2,4]", "top_k(%x) {k=3}", floats({2, 4}, {1, 3, 2, 3, -kInf, 5, kNaN, -kInf}));
  check_values(r[0], {2, 3}, {3, 3, 2, kNaN, 5, -kInf});
  check_values(r[1], {2, 3}, {1, 3, 2, 2, 1, 0});
  CHECK(r[1].dtype() == DType::s32);
}

TEST_CASE("top_k: integers, and all of a row") {
  const auto r = top_k("s32[4]", "top_k(%x) {k=4}", ints({4}, {-1, 7, 7, 0}));
  check_values(r[0], {4}, {7, 7, 0, -1});
  check_values(r[1], {4}, {1, 2, 3, 0});
}

TEST_CASE("log_softmax_top_k: the best of the log-probabilities") {
  const auto r = top_k("f32[3]", "log_softmax_top_k(%x) {k=2}", floats({3}, {0, 0, std::log(2)}));
  check_values(r[0], {2}, {std::log(0.5), std::log(0.25)}, 1e-15);
  check_values(r[1], {2}, {2, 0});
}

TEST_CASE("top_k: label 1, numbers of rank 1 or more") {
  CHECK(mentions(error_of([] {
                   top_k("pred[3]", "top_k(%x) {k=1}", preds({3}, {1, 0, 1}));
                 }),
                 "[top_k.1]"));
}
TEST_CASE("top_k: label 2, at least one is taken") {
  CHECK(mentions(error_of([] {
                   top_k("f32[3]", "top_k(%x) {k=0}", floats({3}, {1, 0, 1}));
                 }),
                 "[top_k.2]"));
}
TEST_CASE("top_k: label 3, no more than there are") {
  CHECK(mentions(error_of([] {
                   top_k("f32[3]", "top_k(%x) {k=4}", floats({3}, {1, 0, 1}));
                 }),
                 "takes 4 of 3 elements [top_k.3]"));
}
TEST_CASE("log_softmax_top_k: label 4, floats") {
  CHECK(mentions(error_of([] {
                   top_k("s32[3]", "log_softmax_top_k(%x) {k=1}", ints({3}, {1, 0, 1}));
                 }),
                 "[log_softmax_top_k.4]"));
}
