// tests/property/seeds.h -- how many random cases a property is tried on.
//
//   WEFT_SEEDS=1000 build/tests/property/property_test     as many of each
//   WEFT_SEED=17 WEFT_SEEDS=1 ...                          one of them again
//
// With sanitizers, which look for faults of memory that every graph of a kind would show, a third.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <vector>

namespace weft::tests {

inline uint64_t setting(const char* name, uint64_t usual) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : usual;
}

inline std::vector<uint64_t> seeds(uint64_t usual) {
#if __has_feature(address_sanitizer)
  usual = std::max<uint64_t>(usual / 3, 1);
#endif
  std::vector<uint64_t> all(setting("WEFT_SEEDS", usual));
  std::iota(all.begin(), all.end(), setting("WEFT_SEED", 1));
  return all;
}

}  // namespace weft::tests
