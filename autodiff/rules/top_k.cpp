// autodiff/rules/top_k.cpp -- derivative of top_k.
#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;

// values = x at `indices`   =>   dx = zeros with dvalues added there
const VjpRule top_k{
    &ops::top_k, [](Vjp& g) -> Grads {
      if (!g.has_cotangent(0)) return g.none();
      const int64_t last = g.op().operand(0).rank() - 1;
      return {g.builder.emit(ops::scatter_add,
                             {{g.zeros(g.op().operand(0))}, {g.result(1)}, {g.cotangent(0)}},
                             {{"axis", last}, {"batch", last}})};
    }};

const VjpRule log_softmax_top_k = through_expansion(ops::log_softmax_top_k);

std::span<const VjpRule* const> of_top_k() {
  static const VjpRule* const kRules[] = {&top_k, &log_softmax_top_k};
  return kRules;
}

}  // namespace weft::autodiff::rules
