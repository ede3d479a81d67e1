// models/data/published/word_model.h -- what cuts a word of a text into tokens: the "model" of
// tokenizer.json.
//
//   BPE       merges by rank (Sennrich et al. 2016); bytes for unknown characters where there are some
//   Unigram   the most probable pieces (Kudo 2018), by Viterbi
//
// Ties and unknown characters are dealt with as the hub's library does.
#pragma once
#include "models/data/published/json.h"
#include "models/data/random.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weft::data::published {

class WordModel {
 public:
  virtual ~WordModel() = default;
  // The ids of the word's tokens and the bytes of it that each takes.
  using Cut = std::vector<std::pair<int32_t, size_t>>;
  virtual Cut cut(std::string_view word) const = 0;
  // BPE leaves each merge out with probability `drop` (Provilkov et al. 2020); Unigram gives what `cut`
  // gives.
  virtual Cut sample(std::string_view word, double drop, Random& random) const = 0;
  virtual std::optional<int32_t> unknown() const = 0;
  virtual const std::vector<std::string>& tokens() const = 0;  // by id
};

struct BpeSettings {
  std::vector<std::string> tokens = {};
  std::vector<std::pair<std::string, std::string>> merges = {};  // the first first
  std::optional<std::string> unknown = {};                       // else unknown characters vanish
  std::string prefix = {}, suffix = {};  // of what continues a word; of what ends one
  bool fuse_unknown = false;             // neighbours are one
  bool byte_fallback = false;            // "<0xE2>"
  bool ignore_merges = false;            // a word that is a token is that token
};

// GraphError where a merge makes no token. `where` stands in errors.
std::unique_ptr<const WordModel> bpe_model(const BpeSettings& settings, const std::string& where);
// Of "model" in tokenizer.json.
std::unique_ptr<const WordModel> word_model_of(const Json& json, const std::string& where);

}  // namespace weft::data::published
