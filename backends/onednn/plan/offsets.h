// backends/onednn/plan/offsets.h -- where buffers lie whose lifetimes are all known.
//
// A plan gives out memory in the order of the work, and gaps stay between what is long-lived. Once
// it is made all lifetimes are known: the largest buffer first, each at the lowest offset that is
// free throughout its life (greedy by size: Pisarchyk and Lee 2020, "Efficient Memory Management for
// Deep Neural Net Inference"). The same plan is then made again with these offsets.
#pragma once
#include "backends/onednn/plan/buffers.h"

#include <cstdint>
#include <deque>
#include <vector>

namespace weft::onednn {

// By timeline, and by tenancy: those of the plan where these need no less. `peaks`: by timeline.
struct Offsets {
  std::vector<std::vector<int64_t>> of;
  std::vector<int64_t> peaks;
};
Offsets fitted(const std::deque<Timeline>& timelines);
// Has the plan that was made again taken the buffers that the offsets are for: as many bytes, for the
// same units?
bool same_buffers(const std::deque<Timeline>& before, const std::deque<Timeline>& again);

}  // namespace weft::onednn
