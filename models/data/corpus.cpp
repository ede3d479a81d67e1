// models/data/corpus.cpp -- pairs of texts, and their ids.
#include "models/data/corpus.h"

#include <algorithm>

namespace weft::data {
namespace {

int64_t unknown(const std::vector<int32_t>& ids, const Tokenizer& tokenizer) {
  return std::count(ids.begin(), ids.end(), tokenizer.special().unknown);
}

}  // namespace

EncodedCorpus encode(const Examples& examples, const Tokenizer& source, const Tokenizer& target) {
  EncodedCorpus corpus;
  corpus.examples.reserve(examples.size());
  for (const Example& example : examples) {
    EncodedExample encoded{source.encode(example.source), target.encode(example.target),
                           example.id};
    corpus.source_tokens += static_cast<int64_t>(encoded.source.size());
    corpus.target_tokens += static_cast<int64_t>(encoded.target.size());
    corpus.unknown_source += unknown(encoded.source, source);
    corpus.unknown_target += unknown(encoded.target, target);
    corpus.examples.push_back(std::move(encoded));
  }
  return corpus;
}

}  // namespace weft::data
