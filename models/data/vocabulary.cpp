// models/data/vocabulary.cpp -- tokens and their ids.
#include "models/data/vocabulary.h"

#include "frontend/formats/atomic_file.h"
#include "frontend/formats/text.h"
#include "ir/error.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace weft::data {
namespace {

using ir::concat;
using ir::GraphError;

constexpr std::string_view kSpecial[kSpecialTokens] = {"<pad>", "<s>", "</s>", "<unk>"};

bool is_special(std::string_view token) {
  return std::find(std::begin(kSpecial), std::end(kSpecial), token) != std::end(kSpecial);
}

// Why `token` cannot stand on a line of its own, or nothing.
std::optional<std::string_view> fault(std::string_view token) {
  if (token.empty()) return "an empty token";
  if (token.find_first_of(" \t\r\n") != std::string_view::npos) return "a token with a space in it";
  return std::nullopt;
}

}  // namespace

Vocabulary Vocabulary::from_counts(const TokenCounts& counts, const std::string& name,
                                   int64_t min_count, int64_t max_size) {
  if (max_size != 0 && max_size <= kSpecialTokens)
    throw GraphError(concat(name, ": a size of ", max_size, " leaves no room beside the ",
                            kSpecialTokens, " special tokens"));
  std::vector<std::pair<std::string, int64_t>> kept;
  for (const auto& [token, count] : counts)
    if (count >= min_count && !is_special(token)) kept.emplace_back(token, count);
  // `counts` is sorted by name, and stays so among equals.
  std::stable_sort(kept.begin(), kept.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  if (kept.empty())
    throw GraphError(concat(name, ": none of ", counts.size(), " tokens is there ", min_count,
                            " times or more"));
  if (max_size != 0 && static_cast<int64_t>(kept.size()) > max_size - kSpecialTokens)
    kept.resize(static_cast<size_t>(max_size - kSpecialTokens));
  std::vector<std::string> tokens(std::begin(kSpecial), std::end(kSpecial));
  for (auto& [token, count] : kept) tokens.push_back(std::move(token));
  return from_tokens(std::move(tokens), name);
}

Vocabulary Vocabulary::from_tokens(std::vector<std::string> tokens, const std::string& name) {
  if (tokens.size() <= kSpecialTokens || tokens.size() > std::numeric_limits<int32_t>::max())
    throw GraphError(concat(name, ": has ", tokens.size(), " tokens, more than the ",
                            kSpecialTokens, " special ones and less than 2^31 are needed"));
  Vocabulary vocabulary;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string& token = tokens[i];
    if (i < kSpecialTokens && token != kSpecial[i])
      throw GraphError(concat(name, ":", i + 1, ": the token is '", token, "', '", kSpecial[i],
                              "' is needed there"));
    if (const auto what = fault(token)) throw GraphError(concat(name, ":", i + 1, ": ", *what));
    const auto [at, added] = vocabulary.ids_.emplace(token, static_cast<int32_t>(i));
    if (!added)
      throw GraphError(concat(name, ":", i + 1, ": the token '", token, "' is on line ",
                              at->second + 1, " already"));
  }
  vocabulary.tokens_ = std::move(tokens);
  return vocabulary;
}

Vocabulary Vocabulary::load(const std::string& path) {
  formats::LineReader lines(path);
  std::vector<std::string> tokens;
  while (const auto line = lines.next()) tokens.emplace_back(*line);
  return from_tokens(std::move(tokens), path);
}

void Vocabulary::save(const std::string& path) const {
  std::string text;
  for (const std::string& token : tokens_) text += token + "\n";
  formats::write_file_atomically(path, text);
}

const std::string& Vocabulary::token(int32_t id) const {
  if (id < 0 || id >= size())
    throw GraphError(concat("the token id ", id, " is outside [0, ", size(), ")"));
  return tokens_[static_cast<size_t>(id)];
}

int32_t Vocabulary::id(std::string_view token) const {
  const auto found = ids_.find(std::string(token));
  // A corpus that spells <s> means the four characters, not the start of a sentence.
  return found == ids_.end() || found->second < kSpecialTokens ? kUnk : found->second;
}

std::vector<int32_t> Vocabulary::encode(std::span<const std::string> tokens) const {
  std::vector<int32_t> ids;
  ids.reserve(tokens.size());
  for (const std::string& token : tokens) ids.push_back(id(token));
  return ids;
}

std::vector<std::string> Vocabulary::decode(std::span<const int32_t> ids) const {
  std::vector<std::string> tokens;
  for (const int32_t id : ids) {
    if (id == kEos) break;
    if (id != kPad && id != kBos) tokens.push_back(token(id));
  }
  return tokens;
}

}  // namespace weft::data
