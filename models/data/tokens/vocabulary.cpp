// models/data/tokens/vocabulary.cpp -- tokens and their ids.
#include "models/data/tokens/vocabulary.h"

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

// What a special id is for: its spelling in vocabularies of ours, its word behind a tab.
struct Role {
  std::string_view spelling, word;
  int32_t SpecialIds::*id;
};
constexpr Role kRoles[kSpecialTokens] = {{"<pad>", "pad", &SpecialIds::pad},
                                         {"<s>", "begin", &SpecialIds::begin},
                                         {"</s>", "end", &SpecialIds::end},
                                         {"<unk>", "unknown", &SpecialIds::unknown}};
constexpr SpecialIds kNoIds{SpecialIds::kNone, SpecialIds::kNone, SpecialIds::kNone,
                            SpecialIds::kNone};

bool is_special(std::string_view token) {
  return std::any_of(std::begin(kRoles), std::end(kRoles),
                     [&](const Role& r) { return r.spelling == token; });
}

// The special ids of these tokens, by their spellings.
SpecialIds ids_by_spelling(const std::vector<std::string>& tokens) {
  SpecialIds ids = kNoIds;
  for (const Role& r : kRoles) {
    const auto at = std::find(tokens.begin(), tokens.end(), r.spelling);
    if (at != tokens.end()) ids.*r.id = static_cast<int32_t>(at - tokens.begin());
  }
  return ids;
}

// "begin,end": what the token of a line is for.
void add_roles(std::string_view words, int32_t id, SpecialIds& ids,
               const formats::LineReader& lines) {
  while (true) {
    const size_t comma = words.find(',');
    const std::string_view word = words.substr(0, comma);
    const auto role = std::find_if(std::begin(kRoles), std::end(kRoles),
                                   [&](const Role& r) { return r.word == word; });
    if (role == std::end(kRoles))
      lines.fail(concat("'", word, "' behind the tab is none of pad, begin, end, unknown"));
    int32_t& known = ids.*role->id;
    if (known != SpecialIds::kNone)
      lines.fail(concat("line ", known + 1, " is '", word, "' already"));
    known = id;
    if (comma == words.npos) return;
    words.remove_prefix(comma + 1);
  }
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
  std::vector<std::string> tokens;
  for (const Role& r : kRoles) tokens.emplace_back(r.spelling);
  for (auto& [token, count] : kept) tokens.push_back(std::move(token));
  return from_tokens(std::move(tokens), name);
}

Vocabulary Vocabulary::from_tokens(std::vector<std::string> tokens, const std::string& name) {
  const SpecialIds ids = ids_by_spelling(tokens);
  return from_tokens(std::move(tokens), name, ids);
}

Vocabulary Vocabulary::from_tokens(std::vector<std::string> tokens, const std::string& name,
                                   const SpecialIds& ids) {
  if (tokens.size() > std::numeric_limits<int32_t>::max())
    throw GraphError(concat(name, ": has ", tokens.size(), " tokens, less than 2^31 are needed"));
  Vocabulary vocabulary;
  bool has_words = false;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string& token = tokens[i];
    if (const auto what = fault(token)) throw GraphError(concat(name, ":", i + 1, ": ", *what));
    const auto [at, added] = vocabulary.ids_.emplace(token, static_cast<int32_t>(i));
    if (!added)
      throw GraphError(concat(name, ":", i + 1, ": the token '", token, "' is on line ",
                              at->second + 1, " already"));
    has_words |= !ids.contains(static_cast<int32_t>(i));
  }
  if (ids.end == SpecialIds::kNone)
    throw GraphError(concat(name, ": has no </s>, nor a token marked as end behind a tab"));
  if (!has_words) throw GraphError(concat(name, ": has special tokens only"));
  vocabulary.name_ = name;
  vocabulary.special_ = ids;
  if (ids.begin == SpecialIds::kNone) vocabulary.special_.begin = ids.end;
  vocabulary.tokens_ = std::move(tokens);
  return vocabulary;
}

Vocabulary Vocabulary::from_published(std::vector<std::string> tokens, const std::string& name,
                                      const SpecialIds& ids) {
  Vocabulary vocabulary;
  for (size_t i = 0; i < tokens.size(); ++i)
    if (!tokens[i].empty()) vocabulary.ids_.emplace(tokens[i], static_cast<int32_t>(i));
  vocabulary.name_ = name;
  vocabulary.special_ = ids;
  vocabulary.tokens_ = std::move(tokens);
  return vocabulary;
}

Vocabulary Vocabulary::with_special(const SpecialIds& ids) const {
  Vocabulary other = *this;
  other.special_ = ids;
  return other;
}

Vocabulary Vocabulary::load(const std::string& path) {
  formats::LineReader lines(path);
  std::vector<std::string> tokens;
  SpecialIds marked = kNoIds;
  while (const auto line = lines.next()) {
    const size_t tab = line->find('\t');
    if (tab != line->npos)
      add_roles(line->substr(tab + 1), static_cast<int32_t>(tokens.size()), marked, lines);
    tokens.emplace_back(line->substr(0, tab));
  }
  SpecialIds ids = ids_by_spelling(tokens);
  for (const Role& r : kRoles)
    if (marked.*r.id != SpecialIds::kNone) ids.*r.id = marked.*r.id;
  return from_tokens(std::move(tokens), path, ids);
}

void Vocabulary::save(const std::string& path) const {
  const SpecialIds spelled = ids_by_spelling(tokens_);
  std::string text;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    text += tokens_[i];
    const char* before = "\t";
    for (const Role& r : kRoles) {
      const auto id = static_cast<int32_t>(i);
      if (special_.*r.id != id || spelled.*r.id == id) continue;
      text += before + std::string(r.word);
      before = ",";
    }
    text += "\n";
  }
  formats::write_file_atomically(path, text);
}

const std::string& Vocabulary::token(int32_t id) const {
  if (id < 0 || id >= size())
    throw GraphError(concat("the token id ", id, " is outside [0, ", size(), ")"));
  return tokens_[static_cast<size_t>(id)];
}

int32_t Vocabulary::id(std::string_view token) const {
  const auto found = ids_.find(std::string(token));
  // A corpus that spells <s> means the three characters, not the start of a sentence.
  if (found != ids_.end() && !special_.contains(found->second)) return found->second;
  if (special_.unknown == SpecialIds::kNone)
    throw GraphError(concat(name_, ": has no '", token, "', and no token for unknown ones"));
  return special_.unknown;
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
    if (id == special_.end) break;
    if (id != special_.pad && id != special_.begin) tokens.push_back(token(id));
  }
  return tokens;
}

}  // namespace weft::data
