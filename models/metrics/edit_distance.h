// models/metrics/edit_distance.h -- Levenshtein's distance between two sequences.
//
// d(i, j) = min(d(i-1, j) + 1, d(i, j-1) + 1, d(i-1, j-1) + [a_i != b_j]); O(|a| |b|) time, O(|b|)
// space.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace weft::metrics {

template <typename T>
int64_t edit_distance(std::span<const T> a, std::span<const T> b) {
  std::vector<int64_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), int64_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    int64_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const int64_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

template <typename T>
int64_t edit_distance(const std::vector<T>& a, const std::vector<T>& b) {
  return edit_distance(std::span<const T>(a), std::span<const T>(b));
}

}  // namespace weft::metrics
