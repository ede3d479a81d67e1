// backends/onednn/lower/table.cpp -- the lowerings of all files, sorted by the op's name.
#include "backends/onednn/lower/table.h"

#include "backends/onednn/lower/entries.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

namespace weft::onednn {

std::span<const Lowering> lowerings() {
  static const std::vector<Lowering> table = [] {
    std::vector<Lowering> all;
    for (const auto of_file :
         {of_elementwise, of_optimizer, of_reduce, of_attention, of_pool, of_shape, of_convolution,
          of_distance, of_scan, of_gather, of_recurrent, of_norm, of_pack, of_matmul, of_loss,
          of_softmax, of_top_k, of_random, of_sort})
      for (const Lowering& l : of_file()) all.push_back(l);
    std::sort(all.begin(), all.end(),
              [](const Lowering& a, const Lowering& b) { return a.op->name < b.op->name; });
    return all;
  }();
  return table;
}

const Lowering* find_lowering(const ir::OpDef* op) {
  static const auto by_op = [] {
    std::unordered_map<const ir::OpDef*, const Lowering*> map;
    for (const Lowering& l : lowerings()) map.emplace(l.op, &l);
    return map;
  }();
  const auto found = by_op.find(op);
  return found == by_op.end() ? nullptr : found->second;
}

bool is_lowered(const ir::OpView& op) {
  const Lowering* l = find_lowering(&op.def());
  return l != nullptr && l->lower != nullptr && (l->serves == nullptr || l->serves(op));
}

}  // namespace weft::onednn
