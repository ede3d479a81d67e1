// models/data/published/bpe_model.cpp -- byte pair encoding: neighbours are merged, the best rank first.
#include "ir/error.h"
#include "models/data/published/unicode.h"
#include "models/data/published/word_model.h"

#include <algorithm>
#include <queue>

namespace weft::data::published {
namespace {

using ir::concat;
using ir::GraphError;

struct Merge {
  int32_t rank, id;
};
uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

class Bpe final : public WordModel {
 public:
  Bpe(const BpeSettings& s, const std::string& where) : s_(s) {
    for (size_t i = 0; i < s_.tokens.size(); ++i)
      if (!s_.tokens[i].empty()) ids_.emplace(s_.tokens[i], static_cast<int32_t>(i));
    if (s_.unknown) {
      const auto id = find(*s_.unknown);
      if (!id)
        throw GraphError(concat(where, ": its unknown token '", *s_.unknown, "' is no token"));
      unknown_ = *id;
    }
    for (size_t rank = 0; rank < s_.merges.size(); ++rank) add(rank, where);
    s_.merges.clear();
  }

  Cut cut(std::string_view word) const override { return cut(word, 0, nullptr); }
  Cut sample(std::string_view word, double drop, Random& random) const override {
    return cut(word, drop, &random);
  }
  std::optional<int32_t> unknown() const override {
    return unknown_ < 0 ? std::nullopt : std::optional(unknown_);
  }
  const std::vector<std::string>& tokens() const override { return s_.tokens; }

 private:
  // A part of the word; those that were merged into one before them have no bytes.
  struct Part {
    int32_t id;
    size_t bytes;
    int64_t previous, next;
  };
  struct Candidate {
    int32_t rank;
    int64_t at;
    int32_t id;
    size_t bytes;  // of both; other ones: the parts have changed since
    bool operator<(const Candidate& other) const {
      return std::pair(rank, at) > std::pair(other.rank, other.at);  // the first on top
    }
  };

  std::optional<int32_t> find(const std::string& token) const {
    const auto at = ids_.find(token);
    return at == ids_.end() ? std::nullopt : std::optional(at->second);
  }

  void add(size_t rank, const std::string& where) {
    const auto& [left, right] = s_.merges[rank];
    const auto l = find(left), r = find(right);
    const bool continues = !s_.prefix.empty() && right.starts_with(s_.prefix);
    const auto both = find(left + (continues ? right.substr(s_.prefix.size()) : right));
    if (!l || !r || !both)
      throw GraphError(concat(where, ": merge ", rank + 1, ", '", left, " ", right,
                              "', is of or into what is no token"));
    merges_.emplace(pair_key(*l, *r), Merge{static_cast<int32_t>(rank), *both});
  }

  std::vector<Part> parts_of(std::string_view word) const {
    std::vector<Part> parts;
    const auto add = [&](int32_t id, size_t bytes) {
      const auto n = std::ssize(parts);
      parts.push_back({id, bytes, n - 1, n + 1});
    };
    for (size_t at = 0; at < word.size();) {
      const size_t from = at;
      (void)next_code_point(word, at);
      const std::string_view character = word.substr(from, at - from);
      std::string token(character);
      if (from > 0) token = s_.prefix + token;
      if (at == word.size()) token += s_.suffix;
      if (const auto id = find(token)) {
        add(*id, character.size());
      } else if (const auto bytes = byte_ids(character); !bytes.empty()) {
        for (const int32_t byte : bytes) add(byte, 1);
      } else if (unknown_ >= 0) {
        if (s_.fuse_unknown && !parts.empty() && parts.back().id == unknown_)
          parts.back().bytes += character.size();
        else
          add(unknown_, character.size());
      }  // else it vanishes
    }
    if (!parts.empty()) parts.back().next = -1;
    return parts;
  }

  // Of each of its bytes, where all are tokens.
  std::vector<int32_t> byte_ids(std::string_view character) const {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::vector<int32_t> ids;
    if (!s_.byte_fallback) return ids;
    for (const char c : character) {
      const auto byte = static_cast<unsigned char>(c);
      const auto id = find({'<', '0', 'x', kDigits[byte >> 4], kDigits[byte & 15], '>'});
      if (!id) return {};
      ids.push_back(*id);
    }
    return ids;
  }

  Cut cut(std::string_view word, double drop, Random* random) const {
    if (s_.ignore_merges)
      if (const auto id = find(std::string(word))) return {{*id, word.size()}};
    std::vector<Part> parts = parts_of(word);
    const auto part = [&](int64_t i) -> Part& { return parts[static_cast<size_t>(i)]; };
    std::priority_queue<Candidate> waiting;
    const auto propose = [&](int64_t at) {
      if (at < 0 || part(at).next < 0) return;
      const Part &left = part(at), &right = part(left.next);
      const auto merge = merges_.find(pair_key(left.id, right.id));
      if (merge != merges_.end())
        waiting.push({merge->second.rank, at, merge->second.id, left.bytes + right.bytes});
    };
    for (int64_t i = 0; i < std::ssize(parts); ++i) propose(i);
    std::vector<Candidate> dropped;
    while (!waiting.empty()) {
      const Candidate c = waiting.top();
      waiting.pop();
      Part& left = part(c.at);
      if (left.bytes == 0 || left.next < 0) continue;
      const Part right = part(left.next);
      const auto merge = merges_.find(pair_key(left.id, right.id));
      if (merge == merges_.end() || merge->second.id != c.id || left.bytes + right.bytes != c.bytes)
        continue;
      if (random != nullptr && random->uniform() < drop) {
        dropped.push_back(c);
        continue;
      }
      for (const Candidate& again : dropped) waiting.push(again);
      dropped.clear();
      part(left.next).bytes = 0;
      left.id = c.id;
      left.bytes = c.bytes;
      left.next = right.next;
      if (right.next >= 0) part(right.next).previous = c.at;
      propose(left.previous);
      propose(c.at);
    }
    Cut result;
    for (const Part& p : parts)
      if (p.bytes > 0) result.emplace_back(p.id, p.bytes);
    return result;
  }

  BpeSettings s_;
  std::unordered_map<std::string, int32_t> ids_;
  std::unordered_map<uint64_t, Merge> merges_;
  int32_t unknown_ = -1;
};

}  // namespace

std::unique_ptr<const WordModel> bpe_model(const BpeSettings& settings, const std::string& where) {
  return std::make_unique<const Bpe>(settings, where);
}

}  // namespace weft::data::published
