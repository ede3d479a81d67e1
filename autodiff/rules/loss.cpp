// autodiff/rules/loss.cpp -- the derivative of softmax cross-entropy, from its log-sum-exp.
#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;
namespace {

// The losses of all rows, whatever their weights: what the weights' adjoint is made of. The forward
// op does not read rows of weight 0, whose labels may be out of range; a row without a label has
// no loss.
Expr unweighted(Vjp& g) {
  const Expr logits = g.operand("logits"), labels = g.operand("labels");
  if (g.op().flag("skip_unknown"))
    return logits.with(
        g.builder.emit(ops::softmax_cross_entropy, {{logits}, {labels}}, g.op().node().attrs));
  const Expr size = apply(ops::dim_size, logits, {{"axis", -1}, {"dtype", labels.dtype()}});
  const Expr known = apply(ops::logical_and, apply(ops::greater_equal, labels, labels.number(0)),
                           autodiff::less(labels, size));
  const Expr label = autodiff::select(known, labels, 0);
  const ir::Value loss = g.builder.emit(ops::softmax_cross_entropy, {{logits}, {label}},
                                        {{"smoothing", g.op().real("smoothing")}});
  return autodiff::select(known, logits.with(loss), 0);
}

Grads adjoint(Vjp& g) {
  Grads grads = g.none();
  grads[0] = g.builder.emit(ops::softmax_cross_entropy_grad,
                            {{g.cotangent(0)},
                             {g.operand("logits")},
                             {g.operand("labels")},
                             {g.result(1)},
                             g.optional("weights")},
                            g.op().node().attrs);
  if (g.wanted("weights")) grads[2] = g.cotangent(0) * unweighted(g);
  return grads;
}

}  // namespace

const VjpRule softmax_cross_entropy{&ops::softmax_cross_entropy, adjoint, nullptr,
                                    [](const Query& q) { return q.expected(1); }};

const VjpRule softmax_cross_entropy_grad = through_expansion(ops::softmax_cross_entropy_grad);
const VjpRule linear_cross_entropy = through_expansion(ops::linear_cross_entropy);

std::span<const VjpRule* const> of_loss() {
  static const VjpRule* const kRules[] = {&softmax_cross_entropy, &softmax_cross_entropy_grad,
                                          &linear_cross_entropy};
  return kRules;
}

}  // namespace weft::autodiff::rules
