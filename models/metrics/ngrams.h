// models/metrics/ngrams.h -- how often every n-gram of a sequence occurs.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>

namespace weft::metrics {

using NgramCounts = std::unordered_map<std::string, int64_t>;

// Of order n; units are joined by a character that no unit holds.
inline NgramCounts count_ngrams(std::span<const std::string> units, size_t n) {
  NgramCounts counts;
  for (size_t i = 0; i + n <= units.size(); ++i) {
    std::string key;
    for (size_t k = 0; k < n; ++k) {
      key += units[i + k];
      key += '\n';
    }
    ++counts[key];
  }
  return counts;
}

inline int64_t total(const NgramCounts& counts) {
  int64_t n = 0;
  for (const auto& [ngram, count] : counts) n += count;
  return n;
}

// Each as often as both have it.
inline int64_t matches(const NgramCounts& a, const NgramCounts& b) {
  int64_t n = 0;
  for (const auto& [ngram, count] : a)
    if (const auto it = b.find(ngram); it != b.end()) n += std::min(count, it->second);
  return n;
}

}  // namespace weft::metrics
