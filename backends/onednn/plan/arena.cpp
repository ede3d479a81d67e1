// backends/onednn/plan/arena.cpp -- the place that touches the least.
#include "backends/onednn/plan/arena.h"

#include <algorithm>

namespace weft::onednn {

int64_t Arena::untouched(int64_t offset, int64_t bytes) const {
  int64_t left = bytes;
  auto run = touched_.upper_bound(offset);
  if (run != touched_.begin()) --run;
  for (; run != touched_.end() && run->first < offset + bytes; ++run)
    left -=
        std::max(int64_t{0}, std::min(run->second, offset + bytes) - std::max(run->first, offset));
  return left;
}

void Arena::touch(int64_t offset, int64_t bytes) {
  int64_t end = offset + bytes;
  auto run = touched_.upper_bound(offset);
  if (run != touched_.begin() && std::prev(run)->second >= offset) --run;
  while (run != touched_.end() && run->first <= end) {
    offset = std::min(offset, run->first);
    end = std::max(end, run->second);
    run = touched_.erase(run);
  }
  touched_[offset] = end;
}

int64_t Arena::take(int64_t bytes, int64_t touched) {
  bytes = std::max(rounded(bytes), kAlignment);
  touched = std::min(rounded(touched), bytes);
  auto best = gaps_.end();
  int64_t at = 0, fresh = 0;
  for (auto gap = gaps_.begin(); gap != gaps_.end(); ++gap) {
    if (gap->second < bytes) continue;
    const auto consider = [&](int64_t offset) {
      if (offset < gap->first || offset + bytes > gap->first + gap->second) return;
      const int64_t n = untouched(offset, touched);
      if (best != gaps_.end() && (n > fresh || (n == fresh && gap->second >= best->second))) return;
      best = gap, at = offset, fresh = n;
    };
    consider(gap->first);
    for (auto run = touched_.upper_bound(gap->first);
         run != touched_.end() && run->first < gap->first + gap->second; ++run)
      consider(run->first);
    consider(gap->first + gap->second - bytes);
  }
  if (best != gaps_.end()) {
    const auto [offset, size] = *best;
    gaps_.erase(best);
    if (at > offset) gaps_[offset] = at - offset;
    if (offset + size > at + bytes) gaps_[at + bytes] = offset + size - at - bytes;
    touch(at, touched);
    return at;
  }
  const int64_t offset = end_;
  end_ += bytes;
  peak_ = std::max(peak_, end_);
  touch(offset, touched);
  return offset;
}

void Arena::take_at(int64_t offset, int64_t bytes, int64_t touched) {
  peak_ = std::max(peak_, offset + std::max(rounded(bytes), kAlignment));
  touch(offset, std::min(rounded(touched), rounded(bytes)));
}

void Arena::give_back(int64_t offset, int64_t bytes) {
  bytes = std::max(rounded(bytes), kAlignment);
  auto after = gaps_.lower_bound(offset);
  if (after != gaps_.end() && after->first == offset + bytes) {
    bytes += after->second;
    after = gaps_.erase(after);
  }
  if (after != gaps_.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second == offset) {
      offset = before->first;
      bytes += before->second;
      gaps_.erase(before);
    }
  }
  if (offset + bytes == end_)
    end_ = offset;
  else
    gaps_[offset] = bytes;
}

}  // namespace weft::onednn
