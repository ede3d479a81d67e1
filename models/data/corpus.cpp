// models/data/corpus.cpp -- pairs of token sequences, as words and as ids.
#include "models/data/corpus.h"

#include <algorithm>

namespace weft::data {
namespace {

int64_t unknown(const std::vector<int32_t>& ids, const Vocabulary& vocabulary) {
  return std::count(ids.begin(), ids.end(), vocabulary.special().unknown);
}

}  // namespace

TokenCounts count_source_tokens(const Examples& examples) {
  TokenCounts counts;
  for (const Example& example : examples)
    for (const std::string& token : example.source) ++counts[token];
  return counts;
}

TokenCounts count_target_tokens(const Examples& examples) {
  TokenCounts counts;
  for (const Example& example : examples)
    for (const std::string& token : example.target) ++counts[token];
  return counts;
}

EncodedCorpus encode(const Examples& examples, const Vocabulary& source, const Vocabulary& target) {
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

std::vector<std::string> split_tokens(std::string_view text) {
  std::vector<std::string> tokens;
  for (size_t at = text.find_first_not_of(' '); at != std::string_view::npos;) {
    const size_t end = std::min(text.find(' ', at), text.size());
    tokens.emplace_back(text.substr(at, end - at));
    at = text.find_first_not_of(' ', end);
  }
  return tokens;
}

std::string join_tokens(std::span<const std::string> tokens) {
  std::string text;
  for (const std::string& token : tokens) text += (text.empty() ? "" : " ") + token;
  return text;
}

}  // namespace weft::data
