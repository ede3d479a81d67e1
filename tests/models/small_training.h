// tests/models/small_training.h -- a run of a few steps on sequences to reverse.
#pragma once
#include "tests/models/small_data.h"

#include <string>
#include <vector>

namespace weft::tests {

inline data::Tokenizer small_vocabulary(const std::string& name) {
  std::vector<std::string> tokens{"<pad>", "<s>", "</s>", "<unk>"};
  for (char c = 'a'; static_cast<int64_t>(tokens.size()) < kSmallVocabulary; ++c)
    tokens.emplace_back(1, c);
  return {data::TokenizerKind::words, data::Vocabulary::from_tokens(tokens, name)};
}

inline training::Seq2seqRun small_setup(int64_t steps, const std::string& folder = {}) {
  training::Seq2seqRun s;
  rnn::Config config = small_config(8);
  config.dropout = 0.1;
  config.seed = 3;
  s.config = config;
  s.limits = {.steps = steps, .validate_every = 7};
  s.rate = {.learning_rate = 0.01, .shrink = 0.9};
  s.batch = {.max_rows = 8};
  s.seed = 3;
  s.train = reversals(60, 5, 1);
  s.valid = reversals(12, 5, 2);
  s.program = fast_options();
  if (!folder.empty()) {
    s.folder = training::ModelFolder(folder);
    if (!s.folder->has_model())
      s.folder->create(s.config, {small_vocabulary("source"), small_vocabulary("target")});
  }
  return s;
}

}  // namespace weft::tests
