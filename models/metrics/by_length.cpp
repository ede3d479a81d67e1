// models/metrics/by_length.cpp -- segments in groups of one width.
#include "models/metrics/by_length.h"

#include "ir/error.h"

#include <algorithm>
#include <map>

namespace weft::metrics {
namespace {

// 1, 2, 5, 10, 20, ...
int64_t width_for(int64_t longest, int64_t most_groups) {
  for (int64_t unit = 1;; unit *= 10)
    for (const int64_t width : {unit, 2 * unit, 5 * unit})
      if ((longest + width - 1) / width <= most_groups) return width;
}

}  // namespace

std::vector<LengthGroup> by_length(const Metric& metric, std::span<const Statistics> segments,
                                   std::span<const int64_t> lengths, int64_t most_groups) {
  if (segments.size() != lengths.size())
    throw ir::GraphError(ir::concat("scores by length need a length for each of the ",
                                    segments.size(), " segments, found ", lengths.size()));
  if (segments.empty()) return {};
  const int64_t longest = std::max<int64_t>(1, *std::max_element(lengths.begin(), lengths.end()));
  const int64_t width = width_for(longest, most_groups);
  std::map<int64_t, std::vector<Statistics>> groups;
  for (size_t i = 0; i < segments.size(); ++i)
    groups[(std::max<int64_t>(lengths[i], 1) - 1) / width].push_back(segments[i]);
  std::vector<LengthGroup> list;
  for (const auto& [group, members] : groups)
    list.push_back({.least = group * width + 1,
                    .most = (group + 1) * width,
                    .segments = std::ssize(members),
                    .score = metric.score(sum(members))});
  return list;
}

}  // namespace weft::metrics
