// autodiff/rules/convolution.cpp -- derivatives of convolutions: each is the adjoint of the others.
#include "ir/ops/convolution.h"

#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;
namespace {

// The node's window, with a size where the op wanted has one.
ir::Attrs window(const Vjp& g, const ir::Shape* size = nullptr) {
  ir::Attrs attrs = g.op().node().attrs;
  attrs.erase("size");
  if (size != nullptr) attrs.set("size", *size);
  return attrs;
}

Expr conv_of(Vjp& g, const Expr& x, const Expr& w) {
  return x.with(g.builder.emit(ops::conv, {{x}, {w}}, window(g)));
}
Expr to_input(Vjp& g, const Expr& dy, const Expr& w, const ir::Shape& size) {
  return dy.with(g.builder.emit(ops::conv_input_grad, {{dy}, {w}}, window(g, &size)));
}
Expr to_weight(Vjp& g, const Expr& x, const Expr& dy, const ir::Shape& size) {
  return x.with(g.builder.emit(ops::conv_weight_grad, {{x}, {dy}}, window(g, &size)));
}

ir::Shape positions(const ir::TensorType& x) { return ops::between(x.shape); }
ir::Shape kernel(const ir::TensorType& w) { return {w.shape.begin(), w.shape.end() - 2}; }

}  // namespace

// y = conv(x, w) + bias  =>  dx = conv_input_grad(dy, w),  dw = conv_weight_grad(x, dy),
// dbias = sum of dy over everything but channels
const VjpRule conv{&ops::conv, [](Vjp& g) -> Grads {
                     const Expr dy = g.cotangent(), x = g.operand(0), w = g.operand(1);
                     Grads grads = g.none();
                     if (g.wanted(0)) grads[0] = to_input(g, dy, w, positions(g.op().operand(0)));
                     if (g.wanted(1)) grads[1] = to_weight(g, x, dy, kernel(g.op().operand(1)));
                     if (g.wanted("bias")) grads[2] = sum_to(dy, g.op().operand("bias").shape);
                     return grads;
                   }};

// x = conv_input_grad(y, w)  =>  dy = conv(dx, w),  dw = conv_weight_grad(dx, y)
const VjpRule conv_input_grad{&ops::conv_input_grad, [](Vjp& g) -> Grads {
                                const Expr dx = g.cotangent(), y = g.operand(0), w = g.operand(1);
                                Grads grads = g.none();
                                if (g.wanted(0)) grads[0] = conv_of(g, dx, w);
                                if (g.wanted(1))
                                  grads[1] = to_weight(g, dx, y, kernel(g.op().operand(1)));
                                return grads;
                              }};

// w = conv_weight_grad(x, y)  =>  dx = conv_input_grad(y, dw),  dy = conv(x, dw)
const VjpRule conv_weight_grad{&ops::conv_weight_grad, [](Vjp& g) -> Grads {
                                 const Expr dw = g.cotangent(), x = g.operand(0), y = g.operand(1);
                                 Grads grads = g.none();
                                 if (g.wanted(0))
                                   grads[0] = to_input(g, y, dw, positions(g.op().operand(0)));
                                 if (g.wanted(1)) grads[1] = conv_of(g, x, dw);
                                 return grads;
                               }};

std::span<const VjpRule* const> of_convolution() {
  static const VjpRule* const kRules[] = {&conv, &conv_input_grad, &conv_weight_grad};
  return kRules;
}

}  // namespace weft::autodiff::rules
