// autodiff/rules/loss.cpp -- the derivative of softmax cross-entropy, from its log-sum-exp.
#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;

const VjpRule softmax_cross_entropy{
    &ops::softmax_cross_entropy,
    [](Vjp& g) -> Grads {
      Grads grads = g.none();
      grads[0] = g.builder.emit(ops::softmax_cross_entropy_grad,
                                {{g.cotangent(0)},
                                 {g.operand("logits")},
                                 {g.operand("labels")},
                                 {g.result(1)},
                                 g.optional("weights")},
                                {{"smoothing", g.op().real("smoothing")}});
      return grads;
    },
    nullptr, [](const Query& q) { return q.expected(1) || q.wanted("weights"); }};

const VjpRule softmax_cross_entropy_grad = through_expansion(ops::softmax_cross_entropy_grad);

}  // namespace weft::autodiff::rules
