// models/data/filters.cpp -- counting and dropping.
#include "models/data/filters.h"

#include "ir/error.h"
#include "models/data/random.h"

#include <algorithm>

namespace weft::data {

using ir::concat;
using ir::GraphError;

void fields(FilterSettings& s, settings::Fields& f) {
  f.integer("max_tokens", s.max_tokens, {1, 1 << 20}, "of either side of a pair");
  f.choice("long_lines", s.long_lines, kMisfits,
           "a pair with more, or with more than the model has positions for, is an error, or is "
           "left out");
  f.choice("empty_lines", s.empty_lines, kMisfits, "a pair with an empty side likewise");
  f.real("max_ratio", s.max_ratio, settings::up_to(1e6),
         "pairs whose longer side has more than so many times the tokens of the shorter are left "
         "out of training; 0: none");
  f.flag("drop_duplicates", s.drop_duplicates,
         "pairs that were there before, in any file, are left out of training");
}

std::string FilterCounts::str() const {
  std::string why;
  const auto add = [&](int64_t n, const char* what) {
    if (n > 0) why += concat(why.empty() ? "" : ", ", n, " ", what);
  };
  add(empty, "with an empty side");
  add(duplicates, "there before");
  add(too_long, "too long");
  add(ratio, "of too different lengths");
  return concat(dropped(), " of ", lines, " lines dropped", why.empty() ? "" : ": ", why);
}

bool SeenTexts::insert(uint64_t h) {
  size_t at = h & (slots_.size() - 1);
  while (slots_[at] != 0 && slots_[at] != h) at = (at + 1) & (slots_.size() - 1);
  const bool there = slots_[at] == h;
  slots_[at] = h;
  return there;
}

bool SeenTexts::add(std::string_view source, std::string_view target) {
  const uint64_t h = std::max<uint64_t>(1, hash(hash(0, source), target));
  if (insert(h)) return true;
  if (++count_ * 4 < slots_.size() * 3) return false;
  std::vector<uint64_t> before(slots_.size() * 2);
  before.swap(slots_);
  for (const uint64_t old : before)
    if (old != 0) insert(old);
  return false;
}

bool PairFilter::keeps(const Example& pair, FilterCounts& counts) {
  ++counts.lines;
  if (pair.source.empty() || pair.target.empty()) {
    if (settings_.empty_lines == Misfit::refuse)
      throw GraphError(concat("the ", pair.source.empty() ? "source" : "target",
                              " is empty (data.empty_lines = \"drop\" leaves such pairs out)"));
    ++counts.empty;
    return false;
  }
  if (settings_.drop_duplicates && seen_.add(pair.source, pair.target)) {
    ++counts.duplicates;
    return false;
  }
  return true;
}

bool PairFilter::keeps(int64_t source, int64_t target, FilterCounts& counts) const {
  if (std::max(source, target) > settings_.max_tokens) {
    if (settings_.long_lines == Misfit::refuse)
      throw GraphError(concat("the ", source > settings_.max_tokens ? "source" : "target", " has ",
                              std::max(source, target), " tokens, at most ", settings_.max_tokens,
                              " are accepted (data.max_tokens; data.long_lines = \"drop\" leaves "
                              "such pairs out)"));
    ++counts.too_long;
    return false;
  }
  const auto longer = static_cast<double>(std::max(source, target));
  if (settings_.max_ratio > 0 &&
      longer > settings_.max_ratio * static_cast<double>(std::min(source, target))) {
    ++counts.ratio;
    return false;
  }
  return true;
}

}  // namespace weft::data
