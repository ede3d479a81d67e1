// autodiff/rules/table.cpp -- the derivatives of all files.
#include "autodiff/rules/table.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

namespace weft::autodiff {

std::span<const VjpRule* const> rule_table() {
  static const std::vector<const VjpRule*> table = [] {
    std::vector<const VjpRule*> all;
    for (const auto of_file :
         {rules::of_attention, rules::of_convolution, rules::of_distance, rules::of_elementwise,
          rules::of_gather, rules::of_loss, rules::of_matmul, rules::of_norm, rules::of_optimizer,
          rules::of_pack, rules::of_pool, rules::of_random, rules::of_recurrent, rules::of_reduce,
          rules::of_scan, rules::of_shape, rules::of_softmax, rules::of_sort, rules::of_top_k})
      for (const VjpRule* rule : of_file()) all.push_back(rule);
    std::sort(all.begin(), all.end(),
              [](const VjpRule* a, const VjpRule* b) { return a->op->name < b->op->name; });
    return all;
  }();
  return table;
}

const VjpRule* find_rule(const ir::OpDef& op) {
  static const auto by_op = [] {
    std::unordered_map<const ir::OpDef*, const VjpRule*> map;
    for (const VjpRule* rule : rule_table()) map.emplace(rule->op, rule);
    return map;
  }();
  const auto found = by_op.find(&op);
  return found == by_op.end() ? nullptr : found->second;
}

const VjpRule& rule_of(const ir::OpDef& op) {
  const VjpRule* rule = find_rule(op);
  WEFT_CHECK(rule != nullptr);
  return *rule;
}

}  // namespace weft::autodiff
