// backends/reference/eval/elementwise.cpp -- what elementwise ops compute, an element at a time.
#include "ir/ops/elementwise.h"

#include "backends/reference/eval/table.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace weft::backends::reference::eval {
namespace {

namespace ops = ir::ops;
using Unary = double (*)(double);
using UnaryInt = int64_t (*)(int64_t);
using Binary = double (*)(double, double);
using BinaryInt = int64_t (*)(int64_t, int64_t);

template <typename R, typename T, typename F>
Dense<R> map(const Dense<T>& x, F f) {
  Dense<R> y = filled<R>(dims_of(x), 0);
  std::transform(x.begin(), x.end(), y.begin(), f);
  return y;
}

template <typename R, typename T, typename F>
Dense<R> zip(const Dense<T>& a, const Dense<T>& b, F f) {
  const Dims dims = broadcast_dims(dims_of(a), dims_of(b));
  const Dense<T> x = reference::broadcast(a, dims), z = reference::broadcast(b, dims);
  Dense<R> y = filled<R>(dims, 0);
  std::transform(x.begin(), x.end(), z.begin(), y.begin(), f);
  return y;
}

Evaluation unary(const ir::OpDef& op, Unary f, UnaryInt g = nullptr) {
  return {&op, [f, g](const Call& call) -> Tensors {
            const Tensor& x = call.in[0];
            if (x.is_float()) return {map<double>(x.floats(), f)};
            return {stored(map<int64_t>(x.ints(), g), call.dtype())};
          }};
}

Evaluation binary(const ir::OpDef& op, Binary f, BinaryInt g) {
  return {&op, [f, g](const Call& call) -> Tensors {
            const Tensor &a = call.in[0], &b = call.in[1];
            if (a.is_float()) return {zip<double>(a.floats(), b.floats(), f)};
            return {stored(zip<int64_t>(a.ints(), b.ints(), g), call.dtype())};
          }};
}

// Integer division and what is made of it: what has no value is an error, not a trap.
Evaluation division(const ir::OpDef& op, Binary f, BinaryInt g,
                    bool (*undefined)(int64_t, int64_t)) {
  const Evaluation defined = binary(op, f, g);
  return {&op, [defined, undefined](const Call& call) -> Tensors {
            const Tensor &a = call.in[0], &b = call.in[1];
            if (!a.is_float()) {
              const Ints zero = zip<int64_t>(a.ints(), b.ints(), undefined);
              if (std::find(zero.begin(), zero.end(), 1) != zero.end())
                call.op.fail("binary.4", "divides an integer by zero");
            }
            return defined.results(call);
          }};
}

template <typename F>
Evaluation comparison(const ir::OpDef& op, F f) {
  return {&op, [f](const Call& call) -> Tensors {
            const Tensor &a = call.in[0], &b = call.in[1];
            if (a.is_float()) return {zip<int64_t>(a.floats(), b.floats(), f)};
            return {zip<int64_t>(a.ints(), b.ints(), f)};
          }};
}

// Two's complement, without the overflow that C++ leaves undefined.
int64_t added(int64_t a, int64_t b) {
  int64_t c;
  (void)__builtin_add_overflow(a, b, &c);
  return c;
}
int64_t subtracted(int64_t a, int64_t b) {
  int64_t c;
  (void)__builtin_sub_overflow(a, b, &c);
  return c;
}
int64_t multiplied(int64_t a, int64_t b) {
  int64_t c;
  (void)__builtin_mul_overflow(a, b, &c);
  return c;
}
int64_t negated(int64_t a) { return subtracted(0, a); }
int64_t quotient(int64_t a, int64_t b) { return b == -1 ? negated(a) : a / b; }
int64_t modulus(int64_t a, int64_t b) {
  const int64_t r = b == -1 ? 0 : a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
int64_t power(int64_t a, int64_t b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;  // 1 / a^-b, truncated
  int64_t y = 1;
  for (; b > 0; b /= 2, a = multiplied(a, a))
    if (b % 2 == 1) y = multiplied(y, a);
  return y;
}

double real_modulus(double a, double b) {
  const double r = std::fmod(a, b);
  if (r == 0) return std::copysign(0.0, b);
  return (r < 0) != (b < 0) ? r + b : r;
}
double greater_of(double a, double b) { return std::isnan(a) || a > b ? a : b; }
double lesser_of(double a, double b) { return std::isnan(a) || a < b ? a : b; }
double logistic(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}
// x * share, the share of x that an activation lets through; none of it is left at -inf.
double let_through(double x, double share) { return share == 0 ? 0 : x * share; }
double rounded(double x) {  // halves to even, whatever the rounding mode
  const double below = std::floor(x), rest = x - below;
  const bool up = rest > 0.5 || (rest == 0.5 && std::fmod(below, 2) != 0);
  return std::isfinite(x) ? std::copysign(up ? below + 1 : below, x) : x;
}

}  // namespace

const Evaluation abs = unary(ops::abs, std::fabs, [](int64_t x) { return x < 0 ? negated(x) : x; });
const Evaluation ceil = unary(ops::ceil, std::ceil);
const Evaluation cos = unary(ops::cos, std::cos);
const Evaluation erf = unary(ops::erf, std::erf);
const Evaluation exp = unary(ops::exp, std::exp);
const Evaluation expm1 = unary(ops::expm1, std::expm1);
const Evaluation floor = unary(ops::floor, std::floor);
const Evaluation gelu =
    unary(ops::gelu, [](double x) { return let_through(x, std::erfc(-x / std::sqrt(2.0)) / 2); });
const Evaluation gelu_tanh = unary(ops::gelu_tanh, [](double x) {
  return let_through(x, (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) / 2);
});
const Evaluation log = unary(ops::log, std::log);
const Evaluation log1p = unary(ops::log1p, std::log1p);
const Evaluation logical_not =
    unary(ops::logical_not, nullptr, [](int64_t x) -> int64_t { return x == 0; });
const Evaluation neg = unary(
    ops::neg, [](double x) { return -x; }, negated);
const Evaluation relu = unary(ops::relu, [](double x) { return x <= 0 ? 0 : x; });
const Evaluation round = unary(ops::round, rounded);
const Evaluation rsqrt = unary(ops::rsqrt, [](double x) { return 1 / std::sqrt(x); });
const Evaluation sigmoid = unary(ops::sigmoid, logistic);
const Evaluation sign = unary(
    ops::sign, [](double x) { return x > 0   ? 1
                                     : x < 0 ? -1
                                             : x; },  // 0 and NaN stay
    [](int64_t x) -> int64_t { return (x > 0) - (x < 0); });
const Evaluation silu = unary(ops::silu, [](double x) { return let_through(x, logistic(x)); });
const Evaluation sin = unary(ops::sin, std::sin);
const Evaluation softplus = unary(
    ops::softplus, [](double x) { return (x > 0 ? x : 0) + std::log1p(std::exp(-std::fabs(x))); });
const Evaluation sqrt = unary(ops::sqrt, std::sqrt);
const Evaluation tanh = unary(ops::tanh, std::tanh);

const Evaluation add = binary(
    ops::add, [](double a, double b) { return a + b; }, added);
const Evaluation div = division(
    ops::div, [](double a, double b) { return a / b; }, quotient,
    [](int64_t, int64_t b) { return b == 0; });
const Evaluation maximum =
    binary(ops::maximum, greater_of, [](int64_t a, int64_t b) { return std::max(a, b); });
const Evaluation minimum =
    binary(ops::minimum, lesser_of, [](int64_t a, int64_t b) { return std::min(a, b); });
const Evaluation mul = binary(
    ops::mul, [](double a, double b) { return a * b; }, multiplied);
const Evaluation pow = division(
    ops::pow, [](double a, double b) { return std::pow(a, b); }, power,
    [](int64_t a, int64_t b) { return a == 0 && b < 0; });
const Evaluation remainder =
    division(ops::remainder, real_modulus, modulus, [](int64_t, int64_t b) { return b == 0; });
const Evaluation sub = binary(
    ops::sub, [](double a, double b) { return a - b; }, subtracted);

const Evaluation equal = comparison(ops::equal, [](auto a, auto b) { return a == b; });
const Evaluation greater = comparison(ops::greater, [](auto a, auto b) { return a > b; });
const Evaluation greater_equal =
    comparison(ops::greater_equal, [](auto a, auto b) { return a >= b; });
const Evaluation less = comparison(ops::less, [](auto a, auto b) { return a < b; });
const Evaluation less_equal = comparison(ops::less_equal, [](auto a, auto b) { return a <= b; });
const Evaluation not_equal = comparison(ops::not_equal, [](auto a, auto b) { return a != b; });
const Evaluation logical_and =
    comparison(ops::logical_and, [](auto a, auto b) { return a != 0 && b != 0; });
const Evaluation logical_or =
    comparison(ops::logical_or, [](auto a, auto b) { return a != 0 || b != 0; });
const Evaluation logical_xor = comparison(ops::logical_xor, [](auto a, auto b) { return a != b; });

const Evaluation is_finite{&ops::is_finite, [](const Call& call) -> Tensor {
                             return map<int64_t>(call.in[0].floats(), [](double x) -> int64_t {
                               return std::isfinite(x);
                             });
                           }};

const Evaluation select{&ops::select, [](const Call& call) -> Tensor {
                          const Ints cond = reference::broadcast(call.in[0].ints(), call.dims());
                          const auto choose = [&](const auto& a, const auto& b) -> Tensor {
                            auto y = reference::broadcast(b, call.dims());
                            const auto x = reference::broadcast(a, call.dims());
                            for (size_t i = 0; i < y.size(); ++i)
                              if (cond.data()[i] != 0) y.data()[i] = x.data()[i];
                            return y;
                          };
                          const Tensor &a = call.in[1], &b = call.in[2];
                          return a.is_float() ? choose(a.floats(), b.floats())
                                              : choose(a.ints(), b.ints());
                        }};

// f32 and f64 hold the same double: a cast between them changes nothing; f16 and bf16 do round.
// Float to integer: what lies outside of the range becomes the nearest integer in it, NaN becomes
// 0.
const Evaluation cast{
    &ops::cast, [](const Call& call) -> Tensor {
      const Tensor& x = call.in[0];
      const ir::DType to = call.dtype();
      if (ir::is_float(to))
        return stored(
            x.is_float() ? x.floats() : map<double>(x.ints(), [](int64_t i) { return double(i); }),
            to);
      if (!x.is_float()) return stored(x, to);
      if (to == ir::DType::pred)
        return map<int64_t>(x.floats(), [](double v) -> int64_t { return v != 0; });
      const ir::DTypeInfo& type = ir::info(to);
      const double above = std::ldexp(1.0, type.bits - type.is_signed),
                   below = type.is_signed ? -above : 0;
      const int64_t greatest =
          to == ir::DType::s64 ? std::numeric_limits<int64_t>::max() : int64_t(above) - 1;
      return map<int64_t>(x.floats(), [=](double v) -> int64_t {
        if (std::isnan(v)) return 0;
        return v >= above ? greatest : static_cast<int64_t>(std::max(v, below));
      });
    }};

std::span<const Evaluation* const> of_elementwise() {
  static const Evaluation* const kEvaluations[] = {
      &abs,        &ceil,      &cos,         &erf,        &exp,         &expm1,         &floor,
      &gelu,       &gelu_tanh, &log,         &log1p,      &logical_not, &neg,           &relu,
      &round,      &rsqrt,     &sigmoid,     &sign,       &silu,        &sin,           &softplus,
      &sqrt,       &tanh,      &add,         &div,        &maximum,     &minimum,       &mul,
      &pow,        &remainder, &sub,         &equal,      &greater,     &greater_equal, &less,
      &less_equal, &not_equal, &logical_and, &logical_or, &logical_xor, &is_finite,     &select,
      &cast};
  return kEvaluations;
}

}  // namespace weft::backends::reference::eval
