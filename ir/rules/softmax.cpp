// ir/rules/softmax.cpp -- lanes along an axis.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {
namespace {

constexpr OpRules kRules[] = {
    {.op = &ops::log_softmax,
     .axes = as_first,
     .batching = {only_each, same_node},
     .rows = along_inner_axes,
     .cost = Cost::rows},
    {.op = &ops::softmax,
     .axes = as_first,
     .batching = {only_each, same_node},
     .rows = along_inner_axes,
     .cost = Cost::rows,
     .range = Range::bounded},
    {.op = &ops::softmax_grad,
     .axes = all_alike,
     .batching = {only_each, same_node_all_lifted},
     .rows = along_inner_axes,
     .keeps_zero = first_zero,
     .cost = Cost::rows,
     .range = Range::adjoint},
};

}  // namespace

std::span<const OpRules> softmax() { return kRules; }

}  // namespace weft::ir::rules
