// models/metrics/error_rate.h -- phone and word error rates against several references.
//
//   PER = sum_w min_r distance(hypothesis_w, r) / sum_w |closest reference of w|
//   WER = share of words whose hypothesis equals none of their references
//
// Of references at the same distance the shorter counts, which makes the rate larger, never
// smaller.
#pragma once
#include "ir/error.h"
#include "ir/host/array.h"
#include "models/metrics/edit_distance.h"
#include "models/metrics/metric.h"

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace weft::metrics {

struct ErrorRate {
  int64_t edits = 0, reference_tokens = 0;
  int64_t wrong_words = 0, words = 0;

  double phone_error_rate() const;  // 0 when nothing was added
  double word_error_rate() const;
  // "PER 7.31 % (2204 of 30150 tokens), WER 29.80 % (1490 of 5000 lines)"
  std::string str() const;

  // Throws GraphError when there is no reference.
  template <typename T>
  void add(const std::vector<T>& hypothesis, std::span<const std::vector<T>> references);
  template <typename T>
  void add(const std::vector<T>& hypothesis, const std::vector<std::vector<T>>& references) {
    add(hypothesis, std::span<const std::vector<T>>(references));
  }
};

// The same as scores of texts, whose tokens stand between spaces: PER, WER, and 100 - WER.
Metric token_error_rate();
Metric line_error_rate();
Metric line_accuracy();

// Of the tokens in front of the lengths, how many are as they should be.
struct TokenAccuracy {
  int64_t correct = 0, tokens = 0;

  double share() const;  // 0 when nothing was added
  // predicted, wanted: s32[B,T], lengths: s32[B]
  void add(const ir::Array& predicted, const ir::Array& wanted, const ir::Array& lengths);
};

template <typename T>
void ErrorRate::add(const std::vector<T>& hypothesis, std::span<const std::vector<T>> references) {
  if (references.empty()) throw ir::GraphError("an error rate needs at least one reference a word");
  int64_t least = std::numeric_limits<int64_t>::max(), length = 0;
  for (const std::vector<T>& reference : references) {
    const int64_t distance = edit_distance(hypothesis, reference);
    const auto size = static_cast<int64_t>(reference.size());
    if (distance < least || (distance == least && size < length)) least = distance, length = size;
  }
  edits += least;
  reference_tokens += length;
  wrong_words += least != 0;
  ++words;
}

}  // namespace weft::metrics
