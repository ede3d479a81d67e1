// backends/onednn/arena.cpp -- best fit.
#include "backends/onednn/arena.h"

#include <algorithm>

namespace weft::onednn {

int64_t Arena::take(int64_t bytes) {
  bytes = std::max(rounded(bytes), kAlignment);
  auto best = gaps_.end();
  for (auto gap = gaps_.begin(); gap != gaps_.end(); ++gap)
    if (gap->second >= bytes && (best == gaps_.end() || gap->second < best->second)) best = gap;
  if (best != gaps_.end()) {
    const auto [offset, size] = *best;
    gaps_.erase(best);
    if (size > bytes) gaps_[offset + bytes] = size - bytes;
    return offset;
  }
  const int64_t offset = end_;
  end_ += bytes;
  peak_ = std::max(peak_, end_);
  return offset;
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
