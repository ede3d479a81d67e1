// models/data/random.h -- reproducible random numbers: Philox4x32-10 (Salmon et al., 2011).
//
// A counter-based generator: the n-th number of (seed, stream) is a function of n alone, the same
// on every machine. Give each purpose and each epoch a stream of its own instead of sharing a
// generator.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::data {

class Random {
 public:
  explicit Random(uint64_t seed, uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  uint32_t next();                 // 32 random bits
  uint64_t below(uint64_t bound);  // uniform in [0, bound), without bias; bound > 0
  double uniform();                // [0, 1), 53 bits
  double normal();                 // mean 0, variance 1

  template <typename T>
  void shuffle(std::vector<T>& values) {  // Fisher and Yates
    for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

 private:
  uint64_t seed_, stream_, block_ = 0;
  std::array<uint32_t, 4> numbers_{};
  int left_ = 0;
};

// 64 well-mixed bits of (seed, text); does not change between versions or machines.
uint64_t hash(uint64_t seed, std::string_view text);
// The same as a number in [0, 1): which part of a data set an item falls into.
double share(uint64_t seed, std::string_view text);

}  // namespace weft::data
