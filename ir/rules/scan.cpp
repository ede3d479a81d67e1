// ir/rules/scan.cpp -- loops, and functions with a derivative of their own: what their regions do.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {
namespace {

constexpr OpRules kRules[] = {
    {.op = &ops::custom_vjp, .stays_whole = "its region is asked", .range = Range::poles},
    {.op = &ops::scan, .stays_whole = "its region is asked", .range = Range::poles},
};

}  // namespace

std::span<const OpRules> scan() { return kRules; }

}  // namespace weft::ir::rules
