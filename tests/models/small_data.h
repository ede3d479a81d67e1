// tests/models/small_data.h -- sequences to copy or reverse, and small models for them.
#pragma once
#include "models/data/corpus.h"
#include "models/data/random.h"
#include "models/families/rnn/rnn.h"
#include "models/families/transformer/transformer.h"
#include "models/training/seq2seq_run.h"
#include "tests/models/backends.h"

#include <algorithm>
#include <vector>

namespace weft::tests {

inline constexpr int64_t kSmallVocabulary = 10;

// `count` pairs of 1 to `longest` tokens, the target being the source reversed.
inline std::vector<data::EncodedExample> reversals(int64_t count, int64_t longest, uint64_t seed) {
  data::Random random(seed);
  std::vector<data::EncodedExample> examples;
  for (int64_t i = 0; i < count; ++i) {
    data::EncodedExample e;
    e.id = i + 1;
    const auto length = 1 + random.below(static_cast<uint64_t>(longest));
    for (uint64_t k = 0; k < length; ++k)
      e.source.push_back(static_cast<int32_t>(
          data::kSpecialTokens + random.below(kSmallVocabulary - data::kSpecialTokens)));
    e.target = e.source;
    std::reverse(e.target.begin(), e.target.end());
    examples.push_back(std::move(e));
  }
  return examples;
}

inline rnn::Config small_config(int64_t width) {
  return {.source = {.vocabulary = kSmallVocabulary},
          .target_vocabulary = kSmallVocabulary,
          .embedding = width,
          .hidden = width};
}

inline transformer::Config small_transformer(int64_t width) {
  return {.source = {.vocabulary = kSmallVocabulary},
          .target_vocabulary = kSmallVocabulary,
          .width = width,
          .heads = 2,
          .feed_forward = 2 * width,
          .encoder_layers = 2,
          .decoder_layers = 2};
}

// What small trainings run on.
inline ProgramOptions fast_options() {
#ifdef WEFT_TEST_ONEDNN
  return onednn_options();
#else
  return reference_options();
#endif
}

}  // namespace weft::tests
