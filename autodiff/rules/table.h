// autodiff/rules/table.h -- the derivative of every op.
#pragma once
#include "autodiff/rule.h"

#include <span>

namespace weft::autodiff {

std::span<const VjpRule* const> rule_table();   // sorted by op name
const VjpRule* find_rule(const ir::OpDef& op);  // null: none
const VjpRule& rule_of(const ir::OpDef& op);    // every op has one

namespace rules {

// By file.
std::span<const VjpRule* const> of_attention();
std::span<const VjpRule* const> of_convolution();
std::span<const VjpRule* const> of_distance();
std::span<const VjpRule* const> of_elementwise();
std::span<const VjpRule* const> of_gather();
std::span<const VjpRule* const> of_loss();
std::span<const VjpRule* const> of_matmul();
std::span<const VjpRule* const> of_norm();
std::span<const VjpRule* const> of_optimizer();
std::span<const VjpRule* const> of_pack();
std::span<const VjpRule* const> of_pool();
std::span<const VjpRule* const> of_random();
std::span<const VjpRule* const> of_recurrent();
std::span<const VjpRule* const> of_reduce();
std::span<const VjpRule* const> of_scan();
std::span<const VjpRule* const> of_shape();
std::span<const VjpRule* const> of_softmax();
std::span<const VjpRule* const> of_sort();
std::span<const VjpRule* const> of_top_k();

}  // namespace rules
}  // namespace weft::autodiff
