// autodiff/rules/sort.cpp -- derivative of sort.
#include "ir/ops/sort.h"

#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;

// values = x at `indices`   =>   dx = zeros with dvalues added there, the axis moved to the end
const VjpRule sort{&ops::sort, [](Vjp& g) -> Grads {
                     if (!g.has_cotangent(0)) return g.none();
                     const int64_t last = g.op().operand(0).rank() - 1, axis = g.op().axis();
                     ir::Integers perm;
                     for (int64_t d = 0; d <= last; ++d) perm.push_back(d);
                     std::swap(perm[static_cast<size_t>(axis)], perm[static_cast<size_t>(last)]);
                     const Expr d = autodiff::transpose(g.cotangent(0), perm),
                                at = autodiff::transpose(g.result(1), perm);
                     const Expr dx =
                         d.with(g.builder.emit(ops::scatter_add, {{g.zeros(d.type())}, {at}, {d}},
                                               {{"axis", last}, {"batch", last}}));
                     return {autodiff::transpose(dx, perm)};
                   }};

std::span<const VjpRule* const> of_sort() {
  static const VjpRule* const kRules[] = {&sort};
  return kRules;
}

}  // namespace weft::autodiff::rules
