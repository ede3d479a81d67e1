// backends/reference/eval/table.cpp -- the evaluations of all files.
#include "backends/reference/eval/table.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

namespace weft::backends::reference {

std::span<const Evaluation* const> evaluations() {
  static const std::vector<const Evaluation*> table = [] {
    std::vector<const Evaluation*> all;
    for (const auto of_file :
         {eval::of_convolution, eval::of_distance, eval::of_elementwise, eval::of_gather,
          eval::of_matmul, eval::of_pack, eval::of_pool, eval::of_random, eval::of_reduce,
          eval::of_scan, eval::of_shape, eval::of_softmax, eval::of_sort, eval::of_top_k})
      for (const Evaluation* e : of_file()) all.push_back(e);
    std::sort(all.begin(), all.end(),
              [](const Evaluation* a, const Evaluation* b) { return a->op->name < b->op->name; });
    return all;
  }();
  return table;
}

const Evaluation* find_evaluation(const ir::OpDef& op) {
  static const auto by_op = [] {
    std::unordered_map<const ir::OpDef*, const Evaluation*> map;
    for (const Evaluation* e : evaluations()) map.emplace(e->op, e);
    return map;
  }();
  const auto it = by_op.find(&op);
  return it == by_op.end() ? nullptr : it->second;
}

}  // namespace weft::backends::reference
