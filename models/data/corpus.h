// models/data/corpus.h -- pairs of token sequences, as words and as ids.
#pragma once
#include "ir/host/array.h"
#include "models/data/vocabulary.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data {

struct Example {
  std::vector<std::string> source, target;
  int64_t id = 0;  // its own for good: the line it came from
};
using Examples = std::vector<Example>;

struct EncodedExample {
  std::vector<int32_t> source, target;  // without their begin and end
  int64_t id = 0;
  // Instead of the source's tokens: frames f32[n,F] or an image f32[H,W,C], and the positions they
  // take.
  ir::Array features = {};
  int64_t positions = 0;

  int64_t source_length() const {
    return features.empty() ? static_cast<int64_t>(source.size()) : positions;
  }
};

struct EncodedCorpus {
  std::vector<EncodedExample> examples;
  int64_t source_tokens = 0, target_tokens = 0;
  int64_t unknown_source = 0, unknown_target = 0;  // tokens that became <unk>
};

TokenCounts count_source_tokens(const Examples& examples);
TokenCounts count_target_tokens(const Examples& examples);

// Sources of tokens. With features instead, see features.h.
EncodedCorpus encode(const Examples& examples, const Vocabulary& source, const Vocabulary& target);

// "a  b c" -> {"a", "b", "c"}: cut at spaces, empty pieces dropped.
std::vector<std::string> split_tokens(std::string_view text);
std::string join_tokens(std::span<const std::string> tokens);

}  // namespace weft::data
