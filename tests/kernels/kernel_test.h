// tests/kernels/kernel_test.h -- random data, every instruction set and team size, comparison in
// double.
#pragma once
#include "backends/onednn/kernels/kernels.h"

#include <doctest/doctest.h>
#include <omp.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace weft::test {

namespace k = weft::onednn::kernels;

inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInf = std::numeric_limits<float>::infinity();

using Floats = std::vector<float>;

inline Floats random_floats(size_t n, uint32_t seed, float low = -1, float high = 1) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> draw(low, high);
  Floats x(n);
  for (float& value : x) value = draw(generator);
  return x;
}

inline std::vector<uint8_t> random_mask(size_t n, uint32_t seed, double keep = 0.6) {
  std::mt19937 generator(seed);
  std::bernoulli_distribution draw(keep);
  std::vector<uint8_t> m(n);
  for (uint8_t& value : m) value = draw(generator) ? 1 : 0;
  return m;
}

// body() on every available instruction set with 1 to 4 threads; on one that another runs the same
// code of but for bf16, with 2.
template <class Body>
void on_every_machine(const Body& body) {
  const int before = omp_get_max_threads();
  const auto sets = k::isas();
  for (size_t i = 0; i < sets.size(); ++i) {
    const k::IsaInfo& set = sets[i];
    if (!k::use_isa(set.isa)) continue;
    const bool alike = i + 1 < sets.size() && sets[i + 1].available &&
                       std::string(sets[i + 1].name).starts_with(set.name);
    for (int threads = alike ? 2 : 1; threads <= (alike ? 2 : 4); ++threads) {
      omp_set_num_threads(threads);
      INFO(std::string(set.name), " with ", threads, " threads");
      body();
    }
  }
  omp_set_num_threads(before);
}

// As above, and the result of body() has the same bits for every team size.
template <class Body>
void same_bits_for_every_team(const Body& body) {
  const int before = omp_get_max_threads();
  for (const k::IsaInfo& set : k::isas()) {
    if (!k::use_isa(set.isa)) continue;
    omp_set_num_threads(1);
    const auto expected = body();
    for (int threads = 1; threads <= 4; ++threads) {
      omp_set_num_threads(threads);
      const auto found = body();
      REQUIRE(found.size() == expected.size());
      INFO(std::string(set.name), " with ", threads, " threads");
      CHECK(std::memcmp(found.data(), expected.data(), found.size() * sizeof found[0]) == 0);
    }
  }
  omp_set_num_threads(before);
}

// |found - expected| <= tolerance * max(1, |expected|); NaN equals NaN, infinities equal
// themselves.
inline void check_close(const float* found, const std::vector<double>& expected, double tolerance) {
  for (size_t i = 0; i < expected.size(); ++i) {
    const double f = found[i], e = expected[i];
    const bool same = f == e || (std::isnan(f) && std::isnan(e));
    if (same || std::fabs(f - e) <= tolerance * std::fmax(1, std::fabs(e))) continue;
    INFO("element ", i, " of ", expected.size(), ": found ", f, ", expected ", e);
    CHECK(false);
    return;
  }
  CHECK(true);
}
inline void check_close(const Floats& found, const std::vector<double>& expected,
                        double tolerance) {
  REQUIRE(found.size() == expected.size());
  check_close(found.data(), expected, tolerance);
}

}  // namespace weft::test
