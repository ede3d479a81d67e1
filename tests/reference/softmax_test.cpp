// tests/reference/softmax_test.cpp -- what softmax and log_softmax compute.
#include "tests/reference/evaluate.h"

using namespace weft::test;

TEST_CASE("softmax: by hand, along either axis") {
  const double t = 1e-15, l2 = std::log(2.0), l3 = std::log(3.0);
  const Array x = floats({2, 2}, {0, l3, l2, l2});
  check_values(apply("softmax(%a)", {x}), {2, 2}, {0.25, 0.75, 0.5, 0.5}, t);
  check_values(apply("softmax(%a) {axis=0}", {x}), {2, 2}, {1.0 / 3, 0.6, 2.0 / 3, 0.4}, t);
  check_values(apply("log_softmax(%a)", {x}), {2, 2}, {-2 * l2, l3 - 2 * l2, -l2, -l2}, t);
}

TEST_CASE("softmax: large scores do not overflow") {
  check_values(apply("softmax(%a)", {floats({3}, {1e30, 1e30, -1e30})}), {3}, {0.5, 0.5, 0});
  check_values(apply("log_softmax(%a)", {floats({2}, {1000, 0})}), {2}, {0, -1000});
}

TEST_CASE("softmax: a lane of -inf gives zeros, and -inf in the logarithm") {
  const Array x = floats({2, 2}, {-kInf, -kInf, -kInf, 3});
  check_values(apply("softmax(%a)", {x}), {2, 2}, {0, 0, 0, 1});
  check_values(apply("log_softmax(%a)", {x}), {2, 2}, {-kInf, -kInf, -kInf, 0});
}

TEST_CASE("softmax: NaN is never hidden, and stays in its lane") {
  const Array x = floats({4, 2}, {kNaN, 1, -kInf, kNaN, 0, 0, kNaN, kInf});
  check_values(apply("softmax(%a)", {x}), {4, 2}, {kNaN, kNaN, kNaN, kNaN, 0.5, 0.5, kNaN, kNaN});
}

TEST_CASE("softmax: of nothing, and of one element") {
  check_values(apply("softmax(%a)", {floats({2, 0}, {})}), {2, 0}, {});
  check_values(apply("softmax(%a)", {floats({0, 2}, {})}), {0, 2}, {});
  check_values(apply("log_softmax(%a) {axis=0}", {floats({1, 2}, {7, -7})}), {1, 2}, {0, 0});
}
