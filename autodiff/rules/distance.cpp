// autodiff/rules/distance.cpp -- values by distance and their sums are each other's adjoints.
#include "ir/ops/distance.h"

#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;

const VjpRule by_distance{&ops::by_distance, [](Vjp& g) -> Grads {
                            return {apply(ops::sum_by_distance, g.cotangent())};
                          }};
const VjpRule sum_by_distance{
    &ops::sum_by_distance, [](Vjp& g) -> Grads {
      return {apply(ops::by_distance, g.cotangent(), {{"queries", g.op().operand(0).dim(-2)}})};
    }};

std::span<const VjpRule* const> of_distance() {
  static const VjpRule* const kRules[] = {&by_distance, &sum_by_distance};
  return kRules;
}

}  // namespace weft::autodiff::rules
