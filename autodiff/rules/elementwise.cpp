// autodiff/rules/elementwise.cpp -- derivatives of elementwise ops.
//
// The sweep sums adjoints to the shapes of broadcast operands. At kinks and poles they are
// PyTorch's: relu' = 0 and |x|' = 0 at 0, sqrt' infinite at 0, ties of maximum and minimum share
// equally.
#include "autodiff/rules/table.h"

#include <cmath>

namespace weft::autodiff::rules {
namespace ops = ir::ops;

constexpr double kRootHalf = 0.70710678118654752440;     // 1 / sqrt 2
constexpr double kRootHalfPi = 0.39894228040143267794;   // 1 / sqrt(2 pi)
constexpr double kTwoByRootPi = 1.12837916709551257390;  // 2 / sqrt pi
constexpr double kRootTwoByPi = 0.79788456080286535588;  // sqrt(2 / pi)

// x where |x| < bound, else the bound: what derivatives look at that have reached their limits there,
// so that no infinity meets the zero it is multiplied with.
static Expr within(const Expr& x, double bound) {
  return apply(ops::minimum, apply(ops::maximum, x, x.number(-bound)), x.number(bound));
}

// --- of one operand: dx from x, y and dy

const VjpRule abs{&ops::abs,
                  [](Vjp& g) -> Grads { return {g.cotangent() * apply(ops::sign, g.operand())}; }};
const VjpRule cos{
    &ops::cos, [](Vjp& g) -> Grads { return {-(g.cotangent() * apply(ops::sin, g.operand()))}; }};
const VjpRule sin{&ops::sin,
                  [](Vjp& g) -> Grads { return {g.cotangent() * apply(ops::cos, g.operand())}; }};

// dx = dy * 2/sqrt(pi) * exp(-x^2)
const VjpRule erf{&ops::erf, [](Vjp& g) -> Grads {
                    const Expr x = g.operand();
                    return {g.cotangent() * (kTwoByRootPi * autodiff::exp(-(x * x)))};
                  }};

const VjpRule exp{&ops::exp, [](Vjp& g) -> Grads { return {g.cotangent() * g.result()}; }};
const VjpRule expm1{&ops::expm1,
                    [](Vjp& g) -> Grads { return {g.cotangent() * (g.result() + 1)}; }};

// y = x Phi(x)  =>  dx = dy * (Phi(x) + x phi(x)),  phi(x) = exp(-x^2/2) / sqrt(2 pi)
const VjpRule gelu{&ops::gelu, [](Vjp& g) -> Grads {
                     const Expr x = within(g.operand(), 40);
                     const Expr cumulative = 0.5 * (1 + apply(ops::erf, x * kRootHalf));
                     const Expr density = kRootHalfPi * autodiff::exp(-0.5 * (x * x));
                     return {g.cotangent() * (cumulative + x * density)};
                   }};

// y = x (1 + t) / 2, t = tanh(c (x + a x^3))  =>  dx = dy * ((1 + t) / 2 + x (1 - t^2) / 2 * c (1 +
// 3 a x^2))
const VjpRule gelu_tanh{
    &ops::gelu_tanh, [](Vjp& g) -> Grads {
      constexpr double a = 0.044715;
      const Expr x = within(g.operand(), 10), x2 = x * x;
      const Expr t = apply(ops::tanh, kRootTwoByPi * (x * (1 + a * x2)));
      const Expr inner = kRootTwoByPi * (1 + 3 * a * x2);
      return {g.cotangent() * (0.5 * (1 + t) + 0.5 * (x * ((1 - t * t) * inner)))};
    }};

const VjpRule log{&ops::log, [](Vjp& g) -> Grads { return {g.cotangent() / g.operand()}; }};
const VjpRule log1p{&ops::log1p,
                    [](Vjp& g) -> Grads { return {g.cotangent() / (g.operand() + 1)}; }};
const VjpRule neg{&ops::neg, [](Vjp& g) -> Grads { return {-g.cotangent()}; }};

// dx = 0 where y <= 0, else dy; a NaN passes it on, so that it stays visible.
const VjpRule relu{
    &ops::relu, [](Vjp& g) -> Grads {
      const Expr y = g.result();
      return {autodiff::select(apply(ops::less_equal, y, y.number(0)), 0, g.cotangent())};
    }};

const VjpRule rsqrt{&ops::rsqrt, [](Vjp& g) -> Grads {
                      const Expr y = g.result();
                      return {-0.5 * (g.cotangent() * (y * (y * y)))};
                    }};
const VjpRule sigmoid{&ops::sigmoid, [](Vjp& g) -> Grads {
                        const Expr y = g.result();
                        return {g.cotangent() * (y * (1 - y))};
                      }};

// y = x s, s = sigmoid(x)  =>  dx = dy * s (1 + x (1 - s))
const VjpRule silu{&ops::silu, [](Vjp& g) -> Grads {
                     const Expr x = within(g.operand(), 1000), s = apply(ops::sigmoid, x);
                     return {g.cotangent() * (s * (1 + x * (1 - s)))};
                   }};

const VjpRule softplus{&ops::softplus, [](Vjp& g) -> Grads {
                         return {g.cotangent() * apply(ops::sigmoid, g.operand())};
                       }};
const VjpRule sqrt{&ops::sqrt, [](Vjp& g) -> Grads { return {g.cotangent() / (2 * g.result())}; }};
const VjpRule tanh{&ops::tanh, [](Vjp& g) -> Grads {
                     const Expr y = g.result();
                     return {g.cotangent() * (1 - y * y)};
                   }};

// --- of two operands: da, db from a, b, y and dy

const VjpRule add{&ops::add, [](Vjp& g) -> Grads { return {g.cotangent(), g.cotangent()}; }};
const VjpRule sub{&ops::sub, [](Vjp& g) -> Grads { return {g.cotangent(), -g.cotangent()}; }};
const VjpRule mul{&ops::mul, [](Vjp& g) -> Grads {
                    return {g.cotangent() * g.operand(1), g.cotangent() * g.operand(0)};
                  }};

// da = dy / b,  db = -(dy / b) * y
const VjpRule div{&ops::div, [](Vjp& g) -> Grads {
                    const Expr da = g.cotangent() / g.operand(1);
                    return {da, -(da * g.result())};
                  }};

// dy to the winner, half to each of a tie. A NaN passes it to both.
static Grads share(Vjp& g, bool greater) {
  const Expr a = g.operand(0), b = g.operand(1), dy = g.cotangent();
  const Expr tie = autodiff::equal(a, b), half = 0.5 * dy;
  const Expr below = autodiff::less(a, b), above = autodiff::less(b, a);
  return {autodiff::select(tie, half, autodiff::select(greater ? below : above, 0, dy)),
          autodiff::select(tie, half, autodiff::select(greater ? above : below, 0, dy))};
}
const VjpRule maximum{&ops::maximum, [](Vjp& g) -> Grads { return share(g, true); }};
const VjpRule minimum{&ops::minimum, [](Vjp& g) -> Grads { return share(g, false); }};

// da = dy * b a^(b-1), 0 where b is 0;  db = dy * y log a, 0 where a is 0 and b >= 0.
// What the selects leave out is kept finite, so that second derivatives are right there too.
const VjpRule pow{&ops::pow, [](Vjp& g) -> Grads {
                    const Expr a = g.operand(0), b = g.operand(1), y = g.result(),
                               dy = g.cotangent();
                    const Expr flat = autodiff::equal(b, 0);
                    const Expr slope = b * apply(ops::pow, a, autodiff::select(flat, 1, b - 1));
                    const Expr still = apply(ops::logical_and, autodiff::equal(a, 0),
                                             apply(ops::greater_equal, b, b.number(0)));
                    const Expr growth = y * apply(ops::log, autodiff::select(still, 1, a));
                    return {dy * autodiff::select(flat, slope.number(0), slope),
                            dy * autodiff::select(still, growth.number(0), growth)};
                  }};

// y = a - b floor(a / b)  =>  da = dy,  db = -dy floor(a / b)
const VjpRule remainder{
    &ops::remainder, [](Vjp& g) -> Grads {
      return {g.cotangent(), -(g.cotangent() * apply(ops::floor, g.operand(0) / g.operand(1)))};
    }};

// da = dy where cond, else 0;  db = 0 where cond, else dy
const VjpRule select{&ops::select, [](Vjp& g) -> Grads {
                       const Expr cond = g.operand(0), dy = g.cotangent();
                       return {{}, autodiff::select(cond, dy, 0), autodiff::select(cond, 0, dy)};
                     }};

const VjpRule cast{&ops::cast, [](Vjp& g) -> Grads {
                     return {g.builder.cast(g.cotangent(), g.op().operand(0).dtype)};
                   }};

// --- piecewise constant, or not of numbers

const VjpRule ceil = zero_gradient(ops::ceil), floor = zero_gradient(ops::floor),
              round = zero_gradient(ops::round), sign = zero_gradient(ops::sign),
              is_finite = zero_gradient(ops::is_finite),
              logical_not = zero_gradient(ops::logical_not), equal = zero_gradient(ops::equal),
              greater = zero_gradient(ops::greater),
              greater_equal = zero_gradient(ops::greater_equal), less = zero_gradient(ops::less),
              less_equal = zero_gradient(ops::less_equal),
              not_equal = zero_gradient(ops::not_equal),
              logical_and = zero_gradient(ops::logical_and),
              logical_or = zero_gradient(ops::logical_or),
              logical_xor = zero_gradient(ops::logical_xor);

std::span<const VjpRule* const> of_elementwise() {
  static const VjpRule* const kRules[] = {
      &abs,        &cos,           &sin,     &erf,        &exp,       &expm1,       &gelu,
      &gelu_tanh,  &log,           &log1p,   &neg,        &relu,      &rsqrt,       &sigmoid,
      &silu,       &softplus,      &sqrt,    &tanh,       &add,       &sub,         &mul,
      &div,        &maximum,       &minimum, &pow,        &remainder, &select,      &cast,
      &ceil,       &floor,         &round,   &sign,       &is_finite, &logical_not, &equal,
      &greater,    &greater_equal, &less,    &less_equal, &not_equal, &logical_and, &logical_or,
      &logical_xor};
  return kRules;
}

}  // namespace weft::autodiff::rules
