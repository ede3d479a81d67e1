// autodiff/rules/pool.cpp -- derivatives of pooling.
#include "ir/ops/pool.h"

#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;

// y = x at `indices`  =>  dx = dy added there
const VjpRule max_pool{
    &ops::max_pool,
    [](Vjp& g) -> Grads {
      if (!g.has_cotangent(0)) return g.none();
      return {g.builder.emit(ops::max_pool_grad, {{g.cotangent(0)}, {g.result(1)}},
                             {{"size", ops::between(g.op().operand(0).shape)}})};
    },
    [](Vjp& g) -> Augmented {
      ir::Attrs attrs = g.op().node().attrs;
      attrs.set("indices", true);
      return {g.builder.emit_all(ops::max_pool, {{g.operand()}}, attrs), {}};
    }};

const VjpRule max_pool_grad = through_expansion(ops::max_pool_grad);

// Linear in x, and each the adjoint of the other.
const VjpRule avg_pool{&ops::avg_pool, [](Vjp& g) -> Grads {
                         ir::Attrs attrs = g.op().node().attrs;
                         attrs.set("size", ops::between(g.op().operand(0).shape));
                         return {apply(ops::avg_pool_grad, g.cotangent(), attrs)};
                       }};
const VjpRule avg_pool_grad{&ops::avg_pool_grad, [](Vjp& g) -> Grads {
                              ir::Attrs attrs = g.op().node().attrs;
                              attrs.erase("size");
                              return {apply(ops::avg_pool, g.cotangent(), attrs)};
                            }};

std::span<const VjpRule* const> of_pool() {
  static const VjpRule* const kRules[] = {&max_pool, &max_pool_grad, &avg_pool, &avg_pool_grad};
  return kRules;
}

}  // namespace weft::autodiff::rules
