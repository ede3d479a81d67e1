// ir/rules/top_k.cpp -- the best of the last axis.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {
namespace {

RowUse rows_of(const Led& led) {
  return led.op.operand(0).rank() > led.leading ? RowUse::row_wise : RowUse::mixed;
}

constexpr OpRules kRules[] = {
    {.op = &ops::log_softmax_top_k,
     .signature = "x:*n {k:k} -> *k *k",
     .batching = {only_each, same_node},
     .rows = rows_of,
     .cost = Cost::rows},
    {.op = &ops::top_k,
     .signature = "x:*n {k:k} -> *k *k",
     .batching = {only_each, same_node},
     .rows = rows_of,
     .cost = Cost::rows,
     .range = Range::moved},
};

}  // namespace

std::span<const OpRules> top_k() { return kRules; }

}  // namespace weft::ir::rules
