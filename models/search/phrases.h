// models/search/phrases.h -- how far a hypothesis has come with the phrases it must contain.
#pragma once
#include "models/search/search_options.h"

#include <cstdint>
#include <span>
#include <vector>

namespace weft::search {

class PhraseProgress {
 public:
  // Of the empty hypothesis. `phrases`, none of them empty, must outlive it.
  explicit PhraseProgress(std::span<const Phrase> phrases);

  // Tokens that are missing: those of phrases not yet contained, but for the beginning of one that
  // the hypothesis ends with. 0: all are contained.
  int64_t missing() const { return missing_; }
  // Of all phrases.
  int64_t total() const { return total_; }
  // Tokens each of which makes fewer missing, ascending.
  std::vector<int32_t> wanted() const;
  // With one more token.
  PhraseProgress after(int32_t token) const;

 private:
  // The longest beginning of a phrase, not yet contained, that the hypothesis ends with.
  void find_begun();

  std::span<const Phrase> phrases_;
  std::vector<bool> contained_;  // by phrase
  std::vector<int32_t> tail_;    // the hypothesis's last tokens, as many as the longest phrase has
  size_t begun_ = 0, length_ = 0;  // the phrase it ends with the beginning of, and how much of it
  int64_t missing_ = 0, total_ = 0;
};

}  // namespace weft::search
