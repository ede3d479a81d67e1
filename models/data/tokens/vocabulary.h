// models/data/tokens/vocabulary.h -- tokens and their ids.
//
// Those made from counts begin with <pad>, <s>, </s> and <unk>; the rest follow by count, most
// frequent first, ties by name. On disk: UTF-8, one token a line, the line's number from 0 being the
// id. Special tokens are told by these four spellings, wherever they stand, or by a word behind a
// tab: "pad", "begin", "end" or "unknown", several by commas, as in "</s><TAB>begin,end". An end is
// needed; where none is said to be the beginning, the end is, and padding and unknown tokens may be
// missing.
#pragma once
#include "models/data/tokens/special_ids.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft::data {

inline constexpr int32_t kSpecialTokens = 4;  // of a vocabulary made from counts

using TokenCounts = std::map<std::string, int64_t>;

class Vocabulary {
 public:
  // `name` ("source vocabulary") stands in errors. Keeps tokens seen `min_count` times or more, and
  // at most `max_size` ids, the special ones included (0: no limit). Spellings of special tokens in
  // the data do not become entries.
  static Vocabulary from_counts(const TokenCounts& counts, const std::string& name,
                                int64_t min_count = 1, int64_t max_size = 0);
  // `tokens` from id 0, the special ones included, these told by their spellings or by `ids`;
  // GraphError on a duplicate or an empty token.
  static Vocabulary from_tokens(std::vector<std::string> tokens, const std::string& name);
  static Vocabulary from_tokens(std::vector<std::string> tokens, const std::string& name,
                                const SpecialIds& ids);
  // Of a published model: tokens may be spelled in any way, and are empty where an id has none; of
  // equal ones the first is found by its spelling. It cannot be saved.
  static Vocabulary from_published(std::vector<std::string> tokens, const std::string& name,
                                   const SpecialIds& ids);
  static Vocabulary load(const std::string& path);
  void save(const std::string& path) const;

  int64_t size() const { return static_cast<int64_t>(tokens_.size()); }
  const std::vector<std::string>& tokens() const { return tokens_; }
  const std::string& token(int32_t id) const;  // GraphError outside [0, size)
  const SpecialIds& special() const { return special_; }
  Vocabulary with_special(const SpecialIds& ids) const;
  // The unknown one for what it does not know, and for spellings of special tokens; GraphError
  // where there is none.
  int32_t id(std::string_view token) const;

  std::vector<int32_t> encode(std::span<const std::string> tokens) const;
  // Stops before the end; leaves out padding and beginnings.
  std::vector<std::string> decode(std::span<const int32_t> ids) const;

  bool operator==(const Vocabulary& other) const {
    return tokens_ == other.tokens_ && special_ == other.special_;
  }

 private:
  std::string name_;
  std::vector<std::string> tokens_;
  SpecialIds special_;
  std::unordered_map<std::string, int32_t> ids_;
};

}  // namespace weft::data
