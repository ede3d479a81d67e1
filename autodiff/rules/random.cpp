// autodiff/rules/random.cpp -- random numbers are drawn from integers; nothing to differentiate.
#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {

const VjpRule random = zero_gradient(ir::ops::random);

std::span<const VjpRule* const> of_random() {
  static const VjpRule* const kRules[] = {&random};
  return kRules;
}

}  // namespace weft::autodiff::rules
