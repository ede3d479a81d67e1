// tests/data/random_test.cpp -- reproducible random numbers.
#include "models/data/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

namespace weft::data {
namespace {

TEST_CASE("random: the numbers are Philox4x32-10's own") {
  // The known answer for key and counter zero (Random123, kat_vectors).
  Random random(0, 0);
  CHECK(random.next() == 0x6627e8d5);
  CHECK(random.next() == 0xe169c58d);
  CHECK(random.next() == 0xbc57ac4c);
  CHECK(random.next() == 0x9b00dbd8);
}

TEST_CASE("random: seeds and streams differ, and each repeats") {
  Random a(1, 0), b(1, 0), c(2, 0), d(1, 1);
  const uint32_t first = a.next();
  CHECK(first == b.next());
  CHECK(first != c.next());
  CHECK(first != d.next());
}

TEST_CASE("random: numbers below a bound are all there about equally often") {
  Random random(3);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[random.below(7)];
  for (const int count : counts) CHECK(std::abs(count - 10000) < 500);  // 5 standard deviations
  CHECK(random.below(1) == 0);
}

TEST_CASE("random: uniform and normal numbers have their moments") {
  Random random(5);
  double sum = 0, normal_sum = 0, normal_squares = 0;
  constexpr int kCount = 100000;
  for (int i = 0; i < kCount; ++i) {
    const double u = random.uniform(), n = random.normal();
    CHECK_UNARY(u >= 0 && u < 1);
    sum += u, normal_sum += n, normal_squares += n * n;
  }
  CHECK(sum / kCount == doctest::Approx(0.5).epsilon(0.01));
  CHECK(std::abs(normal_sum / kCount) < 0.02);
  CHECK(normal_squares / kCount == doctest::Approx(1).epsilon(0.02));
}

TEST_CASE("random: a shuffle is a permutation, the same for the same seed") {
  std::vector<int> sorted(100), a, b;
  std::iota(sorted.begin(), sorted.end(), 0);
  a = b = sorted;
  Random(1).shuffle(a);
  Random(1).shuffle(b);
  CHECK(a == b);
  CHECK(a != sorted);
  std::sort(a.begin(), a.end());
  CHECK(a == sorted);
}

TEST_CASE("random: hashes depend on seed and text and never change") {
  CHECK(hash(1, "word") == hash(1, "word"));
  CHECK(hash(1, "word") != hash(2, "word"));
  CHECK(hash(1, "word") != hash(1, "ward"));
  CHECK(hash(1, "word") == 1133976254654119521u);
}

}  // namespace
}  // namespace weft::data
