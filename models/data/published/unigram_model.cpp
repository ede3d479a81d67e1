// models/data/published/unigram_model.cpp -- the best way through a word's pieces.
#include "models/data/published/unigram_model.h"

#include "ir/error.h"
#include "models/data/published/unicode.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace weft::data::published {
namespace {

using ir::concat;
using ir::GraphError;

constexpr double kUnknownPenalty = 10;  // below the least probable piece

class Unigram final : public WordModel {
 public:
  Unigram(UnigramSettings s, const std::string& where) : s_(std::move(s)) {
    if (s_.pieces.empty()) throw GraphError(concat(where, ": has no pieces"));
    const auto count = std::ssize(s_.pieces);
    if (s_.unknown && (*s_.unknown < 0 || *s_.unknown >= count))
      throw GraphError(concat(where, ": its unknown piece is ", *s_.unknown, " of ", count));
    double least = s_.pieces[0].second;
    for (const auto& [piece, score] : s_.pieces) {
      if (!std::isfinite(score)) throw GraphError(concat(where, ": has a piece without a score"));
      least = std::min(least, score);
      tokens_.push_back(piece);
    }
    unknown_score_ = least - kUnknownPenalty;
    for (int32_t id = 0; id < count; ++id)
      if (!tokens_[static_cast<size_t>(id)].empty()) sorted_.push_back(id);
    // Of equal spellings the last counts.
    std::stable_sort(sorted_.begin(), sorted_.end(),
                     [&](int32_t a, int32_t b) { return text(a) < text(b); });
    size_t kept = 0;
    for (size_t i = 0; i < sorted_.size(); ++i) {
      if (kept > 0 && text(sorted_[kept - 1]) == text(sorted_[i])) --kept;
      sorted_[kept++] = sorted_[i];
    }
    sorted_.resize(kept);
    for (size_t i = sorted_.size(); i-- > 0;) {
      auto& [begin, end] = first_[static_cast<unsigned char>(text(sorted_[i])[0])];
      if (begin == end) end = static_cast<ptrdiff_t>(i) + 1;
      begin = static_cast<ptrdiff_t>(i);
    }
  }

  Cut cut(std::string_view word) const override {
    std::vector<Node> best(word.size() + 1);
    for (size_t at = 0; at < word.size();) {
      size_t next = at;
      (void)next_code_point(word, next);
      bool single = false;  // is the character itself a piece?
      each_piece_at(word, at, [&](int32_t id, size_t end) {
        reach(best, at, end, id, s_.pieces[static_cast<size_t>(id)].second);
        single = single || end == next;
      });
      if (!single) reach(best, at, next, -1, unknown_score_);
      at = next;
    }
    Cut result;
    for (size_t end = word.size(); end > 0; end = best[end].from) {
      const Node& node = best[end];
      const bool known = node.id >= 0 && node.id != s_.unknown.value_or(-1);
      if (!known && !result.empty() && result.back().first < 0)
        result.back().second += end - node.from;
      else
        result.emplace_back(known ? node.id : -1, end - node.from);
    }
    std::reverse(result.begin(), result.end());
    return with_unknown(word, result);
  }
  Cut sample(std::string_view word, double, Random&) const override { return cut(word); }
  std::optional<int32_t> unknown() const override {
    return s_.unknown ? std::optional(static_cast<int32_t>(*s_.unknown)) : std::nullopt;
  }
  const std::vector<std::string>& tokens() const override { return tokens_; }

 private:
  struct Node {
    double score = 0;
    size_t from = 0;
    int32_t id = -1;
    bool reached = false;
  };

  const std::string& text(int32_t id) const { return tokens_[static_cast<size_t>(id)]; }

  static void reach(std::vector<Node>& best, size_t at, size_t end, int32_t id, double score) {
    const double total = best[at].score + score;
    if (best[end].reached && total <= best[end].score) return;
    best[end] = {total, at, id, true};
  }

  // Pieces that the word has at `at`, the shortest first.
  template <typename Use>
  void each_piece_at(std::string_view word, size_t at, const Use& use) const {
    const auto& range = first_[static_cast<unsigned char>(word[at])];
    auto begin = sorted_.begin() + range.first, end = sorted_.begin() + range.second;
    for (size_t depth = 0; at + depth < word.size() && begin != end; ++depth) {
      const auto byte = static_cast<unsigned char>(word[at + depth]);
      const auto byte_of = [&](int32_t id) {  // -1: it ends before
        return depth < text(id).size()
                   ? static_cast<int>(static_cast<unsigned char>(text(id)[depth]))
                   : -1;
      };
      begin = std::partition_point(begin, end, [&](int32_t id) { return byte_of(id) < byte; });
      end = std::partition_point(begin, end, [&](int32_t id) { return byte_of(id) == byte; });
      if (begin != end && text(*begin).size() == depth + 1) use(*begin, at + depth + 1);
    }
  }

  std::optional<int32_t> find(const std::string& piece) const {
    const auto at =
        std::lower_bound(sorted_.begin(), sorted_.end(), piece,
                         [&](int32_t id, const std::string& p) { return text(id) < p; });
    return at != sorted_.end() && text(*at) == piece ? std::optional(*at) : std::nullopt;
  }

  // -1: unknown.
  Cut with_unknown(std::string_view word, const Cut& cut) const {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    Cut result;
    size_t at = 0;
    for (const auto& [id, bytes] : cut) {
      if (id >= 0) {
        result.emplace_back(id, bytes);
        at += bytes;
        continue;
      }
      const std::string_view part = word.substr(at, bytes);
      at += bytes;
      if (const auto whole = find(std::string(part))) {
        result.emplace_back(*whole, bytes);
        continue;
      }
      Cut spelled;
      for (const char c : part) {
        const auto byte = static_cast<unsigned char>(c);
        const auto one = s_.byte_fallback
                             ? find({'<', '0', 'x', kDigits[byte >> 4], kDigits[byte & 15], '>'})
                             : std::nullopt;
        if (one) spelled.emplace_back(*one, 1);
      }
      if (spelled.size() == part.size())
        result.insert(result.end(), spelled.begin(), spelled.end());
      else if (s_.unknown)
        result.emplace_back(static_cast<int32_t>(*s_.unknown), bytes);
      else
        throw GraphError(
            concat("'", part, "' is unknown to a vocabulary without a token for that"));
    }
    return result;
  }

  UnigramSettings s_;
  std::vector<std::string> tokens_;
  std::vector<int32_t> sorted_;                               // by text
  std::array<std::pair<ptrdiff_t, ptrdiff_t>, 256> first_{};  // in it, by the first byte
  double unknown_score_ = 0;
};

}  // namespace

std::unique_ptr<const WordModel> unigram_model(UnigramSettings settings, const std::string& where) {
  return std::make_unique<const Unigram>(std::move(settings), where);
}

}  // namespace weft::data::published
