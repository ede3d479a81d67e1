// models/search/phrases.cpp -- matching phrases at the end of a hypothesis.
#include "models/search/phrases.h"

#include <algorithm>

namespace weft::search {
namespace {

bool ends_with(std::span<const int32_t> tokens, std::span<const int32_t> last) {
  return tokens.size() >= last.size() && std::equal(last.rbegin(), last.rend(), tokens.rbegin());
}

}  // namespace

PhraseProgress::PhraseProgress(std::span<const Phrase> phrases)
    : phrases_(phrases), contained_(phrases.size(), false) {
  for (const Phrase& p : phrases) total_ += std::ssize(p);
  missing_ = total_;
}

std::vector<int32_t> PhraseProgress::wanted() const {
  if (length_ > 0) return {phrases_[begun_][length_]};
  std::vector<int32_t> tokens;
  for (size_t i = 0; i < phrases_.size(); ++i)
    if (!contained_[i]) tokens.push_back(phrases_[i].front());
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  return tokens;
}

void PhraseProgress::find_begun() {
  length_ = 0;
  missing_ = 0;
  for (size_t i = 0; i < phrases_.size(); ++i) {
    if (contained_[i]) continue;
    missing_ += std::ssize(phrases_[i]);
    for (size_t n = phrases_[i].size() - 1; n > length_; --n)
      if (ends_with(tail_, std::span(phrases_[i]).first(n))) {
        begun_ = i, length_ = n;
        break;
      }
  }
  missing_ -= static_cast<int64_t>(length_);
}

PhraseProgress PhraseProgress::after(int32_t token) const {
  PhraseProgress next = *this;
  next.tail_.push_back(token);
  size_t longest = 0;
  for (const Phrase& p : phrases_) longest = std::max(longest, p.size());
  if (next.tail_.size() > longest) next.tail_.erase(next.tail_.begin());
  for (size_t i = 0; i < phrases_.size(); ++i)
    if (ends_with(next.tail_, phrases_[i])) next.contained_[i] = true;
  next.find_begun();
  return next;
}

}  // namespace weft::search
