// ir/rules/table.cpp -- the rules of all files.
#include "ir/rules/op_rules.h"

#include <unordered_map>

namespace weft::ir {
namespace {

const std::unordered_map<const OpDef*, const OpRules*>& by_op() {
  static const auto map = [] {
    std::unordered_map<const OpDef*, const OpRules*> all;
    for (const auto family :
         {rules::attention, rules::convolution, rules::distance, rules::elementwise, rules::gather,
          rules::loss, rules::matmul, rules::norm, rules::optimizer, rules::pack, rules::pool,
          rules::random, rules::recurrent, rules::reduce, rules::scan, rules::shape, rules::softmax,
          rules::sort, rules::top_k})
      for (const OpRules& row : family()) all[row.op] = &row;
    return all;
  }();
  return map;
}

}  // namespace

bool has_rules(const OpDef& op) { return op.elementwise || by_op().count(&op) > 0; }

const OpRules& rules_of(const OpDef& op) {
  static constexpr OpRules kNone{.op = nullptr, .range = Range::poles};
  const auto found = by_op().find(&op);
  if (found != by_op().end()) return *found->second;
  return op.elementwise ? rules::any_elementwise() : kNone;
}

}  // namespace weft::ir
