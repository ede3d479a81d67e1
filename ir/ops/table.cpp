// ir/ops/table.cpp -- the ops of all families, sorted by name.
#include "ir/ops/table.h"

#include "ir/ops/all.h"

#include <algorithm>
#include <vector>

namespace weft::ir::ops {
namespace {

// Sorted by name.
const std::vector<const OpDef*>& all_ops() {
  static const std::vector<const OpDef*> all = [] {
    std::vector<const OpDef*> ops;
    for (const std::span<const OpDef* const> family :
         std::initializer_list<std::span<const OpDef* const>>{kAttentionOps,
                                                              kConvolutionOps,
                                                              kDistanceOps,
                                                              kElementwiseOps,
                                                              kGatherOps,
                                                              kLossOps,
                                                              kMatmulOps,
                                                              kNormOps,
                                                              kOptimizerOps,
                                                              kPackOps,
                                                              kPackedAttentionOps,
                                                              kPoolOps,
                                                              kRandomOps,
                                                              kRecurrentOps,
                                                              kReduceOps,
                                                              kScanOps,
                                                              kShapeOps,
                                                              kSoftmaxOps,
                                                              kSortOps,
                                                              kTopKOps})
      ops.insert(ops.end(), family.begin(), family.end());
    std::sort(ops.begin(), ops.end(),
              [](const OpDef* a, const OpDef* b) { return a->name < b->name; });
    return ops;
  }();
  return all;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::span<const OpDef* const> table() { return all_ops(); }

const OpDef* find(std::string_view name) {
  const auto it =
      std::lower_bound(all_ops().begin(), all_ops().end(), name,
                       [](const OpDef* op, std::string_view n) { return op->name < n; });
  return it != all_ops().end() && (*it)->name == name ? *it : nullptr;
}

std::string closest_name(std::string_view name) {
  name = name.substr(0, 64);
  const OpDef* best =
      *std::min_element(all_ops().begin(), all_ops().end(), [&](const OpDef* a, const OpDef* b) {
        return edit_distance(a->name, name) < edit_distance(b->name, name);
      });
  return std::string(best->name);
}

}  // namespace weft::ir::ops
