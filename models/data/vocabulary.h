// models/data/vocabulary.h -- tokens and their ids.
//
// Ids 0..3 are <pad>, <s>, </s> and <unk>; the rest follow by count, most frequent first, ties by
// name. On disk: UTF-8, one token a line, the line's number from 0 being the id.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft::data {

inline constexpr int32_t kPad = 0, kBos = 1, kEos = 2, kUnk = 3;
inline constexpr int32_t kSpecialTokens = 4;

using TokenCounts = std::map<std::string, int64_t>;

class Vocabulary {
 public:
  // `name` ("source vocabulary") stands in errors. Keeps tokens seen `min_count` times or more, and
  // at most `max_size` ids, the special ones included (0: no limit). Spellings of special tokens in
  // the data do not become entries.
  static Vocabulary from_counts(const TokenCounts& counts, const std::string& name,
                                int64_t min_count = 1, int64_t max_size = 0);
  // `tokens` from id 0, the special ones included; GraphError on a duplicate or an empty token.
  static Vocabulary from_tokens(std::vector<std::string> tokens, const std::string& name);
  static Vocabulary load(const std::string& path);
  void save(const std::string& path) const;

  int64_t size() const { return static_cast<int64_t>(tokens_.size()); }
  const std::vector<std::string>& tokens() const { return tokens_; }
  const std::string& token(int32_t id) const;  // GraphError outside [0, size)
  int32_t id(std::string_view token) const;    // kUnk for what it does not know

  std::vector<int32_t> encode(std::span<const std::string> tokens) const;
  // Stops before </s>; leaves out <pad> and <s>.
  std::vector<std::string> decode(std::span<const int32_t> ids) const;

  bool operator==(const Vocabulary& other) const { return tokens_ == other.tokens_; }

 private:
  std::vector<std::string> tokens_;
  std::unordered_map<std::string, int32_t> ids_;
};

}  // namespace weft::data
