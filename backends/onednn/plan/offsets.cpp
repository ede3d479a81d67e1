// backends/onednn/plan/offsets.cpp -- see offsets.h.
#include "backends/onednn/plan/offsets.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace weft::onednn {
namespace {

using Tenancy = Timeline::Tenancy;

int last_of(const Tenancy& t) { return t.last < 0 ? std::numeric_limits<int>::max() : t.last; }
bool meet(const Tenancy& a, const Tenancy& b) {
  return a.first <= last_of(b) && b.first <= last_of(a);
}

// Offsets of tenancies of these sizes; returns where the last of them ends.
int64_t fit(const std::vector<Tenancy>& tenancies, const std::vector<int64_t>& bytes,
            std::vector<int64_t>& offsets) {
  std::vector<size_t> order(tenancies.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return bytes[a] > bytes[b]; });
  offsets.assign(tenancies.size(), 0);
  std::vector<size_t> placed, near;
  int64_t peak = 0;
  for (const size_t i : order) {
    near.clear();
    for (const size_t j : placed)
      if (meet(tenancies[i], tenancies[j])) near.push_back(j);
    std::sort(near.begin(), near.end(),
              [&](size_t a, size_t b) { return offsets[a] < offsets[b]; });
    int64_t at = 0;
    for (const size_t j : near) {
      if (at + bytes[i] <= offsets[j]) break;
      at = std::max(at, offsets[j] + bytes[j]);
    }
    offsets[i] = at;
    peak = std::max(peak, at + bytes[i]);
    placed.push_back(i);
  }
  return peak;
}

}  // namespace

// A loop's arena lies in that of the graph around it, whose timeline is the earlier one.
Offsets fitted(const std::deque<Timeline>& timelines) {
  Offsets found;
  found.of.resize(timelines.size());
  found.peaks.resize(timelines.size());
  for (size_t i = timelines.size(); i-- > 0;) {
    const Timeline& timeline = timelines[i];
    std::vector<int64_t> bytes;
    for (const Tenancy& t : timeline.tenancies) {
      const int64_t size = t.loop < 0 ? t.bytes : found.peaks[static_cast<size_t>(t.loop)];
      bytes.push_back(std::max(Arena::rounded(size), Arena::kAlignment));
    }
    found.peaks[i] = fit(timeline.tenancies, bytes, found.of[i]);
    if (found.peaks[i] < timeline.arena_bytes) continue;
    found.peaks[i] = timeline.arena_bytes;
    for (size_t k = 0; k < timeline.tenancies.size(); ++k)
      found.of[i][k] = timeline.tenancies[k].offset;
  }
  return found;
}

bool same_buffers(const std::deque<Timeline>& before, const std::deque<Timeline>& again) {
  const auto same = [](const Tenancy& a, const Tenancy& b) {
    return a.first == b.first && a.last == b.last && a.loop == b.loop &&
           (a.loop >= 0 || a.bytes == b.bytes);  // a loop's arena is another one now
  };
  return std::equal(before.begin(), before.end(), again.begin(), again.end(),
                    [&](const Timeline& a, const Timeline& b) {
                      return std::equal(a.tenancies.begin(), a.tenancies.end(), b.tenancies.begin(),
                                        b.tenancies.end(), same);
                    });
}

}  // namespace weft::onednn
