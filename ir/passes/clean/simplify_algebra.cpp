// ir/passes/clean/simplify_algebra.cpp -- rules of arithmetic and logic.
//
// None of them changes a value, NaN, infinities and the sign of zeros included, but for rounding
// where constants are merged, and for two forms that have an op: log(softmax(x)) and 1/(1+exp(-x))
// are what they mean also where exp under- or overflows (docs/ir.md, 3).
#include "ir/passes/clean/simplifier.h"

#include <cmath>

namespace weft::ir {
namespace {

bool float_result(Simplifier& s, const Node& n) {
  return is_float(s.builder.type(n.results[0]).dtype);
}

// `x` in the shape of n's result: what replaces n where the other operand drops out.
Value as_result(Simplifier& s, const Node& n, Value x) {
  return s.broadcast(x, s.type(n.results[0]).shape);
}

Value constant_right(Simplifier& s, const Node& n) {
  if (!n.op->commutative || !s.scalar(n.operands[0]) || s.scalar(n.operands[1])) return {};
  return s.emit(*n.op, {{n.operands[1]}, {n.operands[0]}});
}

Value scalar_like(Simplifier& s, double value, Value like) {
  return s.filled(value, {s.type(like).dtype, {}});
}

// May constants of n's dtype be merged into this one? Integers must not leave the narrowest range.
bool fits(Simplifier& s, const Node& n, double c) {
  return std::isfinite(c) &&
         (float_result(s, n) ? c == 0 || std::isnormal(static_cast<float>(c)) : std::abs(c) <= 127);
}

// May x op c op d be x op (c op d)? Where the two pull in opposite directions, what the first does
// to a large or a small x (an overflow, a rounding) the second does not undo.
bool same_direction(double c, double d) { return std::signbit(c) == std::signbit(d); }
bool both_grow_or_shrink(double c, double d) {
  return (std::abs(c) >= 1) == (std::abs(d) >= 1) || std::abs(c) == 1 || std::abs(d) == 1;
}

// Adding it changes nothing, not even the sign of a zero.
bool adds_nothing(Simplifier& s, const Node& n, double c) {
  return c == 0 && (!float_result(s, n) || std::signbit(c));
}

// What the adjoints of adjacent slices add up to: pieces in their places, side by side.
//   pad(x, low=a) + pad(y, low=a+size(x))  =>  pad(concat(x, y), low=a)
Value join_pads(Simplifier& s, const Node& n) {
  const auto p = s.made_by(n.operands[0], ops::pad), q = s.made_by(n.operands[1], ops::pad);
  if (!p || !q) return {};
  const OpView first = s.view(*p), second = s.view(*q);
  const int64_t axis = first.integer("axis");
  if (axis != second.integer("axis") || first.real("value") != 0 || second.real("value") != 0)
    return {};
  const Value x = p->operands[0], y = q->operands[0];
  const auto join = [&](Value low, Value high, const OpView& before,
                        const OpView& behind) -> Value {
    if (behind.dim("low") != before.dim("low") + s.type(low).dim(axis)) return {};
    return s.emit(ops::pad, {{s.emit(ops::concat, {{low, high}}, {{"axis", axis}})}},
                  {{"axis", axis}, {"low", before.dim("low")}, {"high", behind.dim("high")}});
  };
  if (s.type(n.operands[0]) != s.type(n.operands[1])) return {};
  if (const Value joined = join(x, y, first, second); joined.valid()) return joined;
  return join(y, x, second, first);
}

// Rows added to zeros and those to x are rows added to x: the gradient of a table that is looked up
// and multiplied with.
Value add_rows(Simplifier& s, const Node& n) {
  for (const size_t i : {0, 1}) {
    const auto rows = s.made_by(n.operands[i], ops::scatter_add);
    if (!rows || s.scalar(rows->operands[0]) != 0.0 ||
        s.type(n.operands[1 - i]) != s.type(n.results[0]))
      continue;
    return s.emit(ops::scatter_add, {{n.operands[1 - i]}, {rows->operands[1]}, {rows->operands[2]}},
                  rows->attrs);
  }
  return {};
}

Value add(Simplifier& s, const Node& n) {
  const Value x = n.operands[0], y = n.operands[1];
  if (const Value joined = join_pads(s, n); joined.valid()) return joined;
  if (const Value rows = add_rows(s, n); rows.valid()) return rows;
  if (const auto c = s.scalar(y)) {
    if (adds_nothing(s, n, *c)) return as_result(s, n, x);
    if (const auto inner = s.made_by(x, ops::add))
      if (const auto d = s.scalar(inner->operands[1]);
          d && fits(s, n, *c) && fits(s, n, *d) && fits(s, n, *c + *d) &&
          (!float_result(s, n) || same_direction(*c, *d)))
        return s.emit(ops::add, {{inner->operands[0]}, {scalar_like(s, *c + *d, x)}});
  }
  if (const auto negated = s.made_by(y, ops::neg))
    return s.emit(ops::sub, {{x}, {negated->operands[0]}});
  if (const auto negated = s.made_by(x, ops::neg))
    return s.emit(ops::sub, {{y}, {negated->operands[0]}});
  return {};
}

Value sub(Simplifier& s, const Node& n) {
  const Value x = n.operands[0], y = n.operands[1];
  if (const auto c = s.scalar(y)) {
    if (adds_nothing(s, n, -*c)) return as_result(s, n, x);
    if (info(s.type(y).dtype).is_signed && (float_result(s, n) || fits(s, n, *c)))
      return s.emit(ops::add, {{x}, {scalar_like(s, -*c, y)}});
  }
  if (const auto negated = s.made_by(y, ops::neg))
    return s.emit(ops::add, {{x}, {negated->operands[0]}});
  if (const auto c = s.scalar(x); c && *c == 0 && !std::signbit(*c) &&
                                  s.type(y).shape == s.type(n.results[0]).shape &&
                                  !float_result(s, n))
    return s.emit(ops::neg, {{y}});
  return {};
}

Value mul(Simplifier& s, const Node& n) {
  const Value x = n.operands[0], y = n.operands[1];
  const auto c = s.scalar(y);
  if (!c) return {};
  if (*c == 1) return as_result(s, n, x);
  if (*c == -1 && info(s.type(x).dtype).is_signed) return as_result(s, n, s.emit(ops::neg, {{x}}));
  if (const auto inner = s.made_by(x, ops::mul))
    if (const auto d = s.scalar(inner->operands[1]);
        d && fits(s, n, *c) && fits(s, n, *d) && fits(s, n, *c * *d) && *c * *d != 0 &&
        (!float_result(s, n) || both_grow_or_shrink(*c, *d)))
      return s.emit(ops::mul, {{inner->operands[0]}, {scalar_like(s, *c * *d, x)}});
  if (const auto inner = s.made_by(x, ops::neg); inner && float_result(s, n))
    return s.emit(ops::mul, {{inner->operands[0]}, {scalar_like(s, -*c, x)}});
  return {};
}

// 1 / (1 + exp(-x)) is sigmoid(x).
Value sigmoid_of(Simplifier& s, const Node& n) {
  const auto one = s.scalar(n.operands[0]);
  const auto sum = s.made_by(n.operands[1], ops::add);
  if (!one || *one != 1 || !sum || s.scalar(sum->operands[1]) != 1.0) return {};
  const auto e = s.made_by(sum->operands[0], ops::exp);
  if (!e) return {};
  const auto negated = s.made_by(e->operands[0], ops::neg);
  if (!negated) return {};
  return s.emit(ops::sigmoid, {{negated->operands[0]}});
}

Value div(Simplifier& s, const Node& n) {
  if (!float_result(s, n)) {
    const auto c = s.scalar(n.operands[1]);
    return c && *c == 1 ? as_result(s, n, n.operands[0]) : Value{};
  }
  // A factor that f32 rounds away or has lost digits of would be another divisor.
  const auto normal = [](double x) { return std::isnormal(static_cast<float>(x)); };
  if (const auto c = s.scalar(n.operands[1]); c && normal(*c) && normal(1 / *c))
    return s.emit(ops::mul, {{n.operands[0]}, {scalar_like(s, 1 / *c, n.operands[1])}});
  return sigmoid_of(s, n);
}

Value neg(Simplifier& s, const Node& n) {
  const Value x = n.operands[0];
  if (const auto inner = s.made_by(x, ops::neg)) return inner->operands[0];
  if (const auto inner = s.made_by(x, ops::mul); inner && float_result(s, n))
    if (const auto c = s.scalar(inner->operands[1]))
      return s.emit(ops::mul, {{inner->operands[0]}, {scalar_like(s, -*c, x)}});
  return {};
}

Value pow(Simplifier& s, const Node& n) {
  const Value x = n.operands[0];
  const auto c = s.scalar(n.operands[1]);
  if (!c || s.scalar(x)) return {};
  if (*c == 1) return as_result(s, n, x);
  if (*c == 2) return as_result(s, n, s.emit(ops::mul, {{x}, {x}}));
  return {};
}

Value log(Simplifier& s, const Node& n) {
  const auto p = s.made_by(n.operands[0], ops::softmax);
  return p ? s.emit(ops::log_softmax, {{p->operands[0]}}, p->attrs) : Value{};
}

Value select(Simplifier& s, const Node& n) {
  const Value c = n.operands[0], x = n.operands[1], y = n.operands[2];
  if (const auto known = s.scalar(c)) return as_result(s, n, *known != 0 ? x : y);
  if (x == y) return as_result(s, n, x);
  if (const auto negated = s.made_by(c, ops::logical_not))
    return s.emit(ops::select, {{negated->operands[0]}, {y}, {x}});
  return {};
}

Value logical_not(Simplifier& s, const Node& n) {
  const auto inner = s.made_by(n.operands[0], ops::logical_not);
  return inner ? inner->operands[0] : Value{};
}

Value logical_and(Simplifier& s, const Node& n) {
  if (n.operands[0] == n.operands[1]) return n.operands[0];
  const auto c = s.scalar(n.operands[1]);
  if (!c) return {};
  return *c != 0 ? as_result(s, n, n.operands[0]) : as_result(s, n, n.operands[1]);
}

// Does every value of `from` survive in `through`?
bool widens(DType from, DType through) {
  if (from == through || from == DType::pred) return true;
  const DTypeInfo &a = info(from), &b = info(through);
  if (a.is_float)
    return b.is_float &&
           (b.dtype == DType::f64 || (b.dtype == DType::f32 && a.dtype != DType::f64));
  const int bits = b.is_float ? (b.dtype == DType::f64   ? 53
                                 : b.dtype == DType::f32 ? 24
                                 : b.dtype == DType::f16 ? 11
                                                         : 8)
                              : b.bits - (b.is_signed ? 1 : 0);
  return a.bits - (a.is_signed ? 1 : 0) <= bits && (!a.is_signed || b.is_float || b.is_signed);
}

Value cast(Simplifier& s, const Node& n) {
  const DType to = s.type(n.results[0]).dtype;
  const Value x = n.operands[0];
  if (s.type(x).dtype == to) return x;
  if (const auto inner = s.made_by(x, ops::cast)) {
    const Value y = inner->operands[0];
    if (widens(s.type(y).dtype, s.type(x).dtype) && to != DType::pred)
      return s.type(y).dtype == to ? y : s.emit(ops::cast, {{y}}, {{"dtype", to}});
  }
  return {};
}

Value idempotent(Simplifier& s, const Node& n) {
  return n.op->idempotent && s.made_by(n.operands[0], *n.op) ? n.operands[0] : Value{};
}

// Operands as small as broadcasting allows: constants of rank 0, broadcasts and leading 1 axes
// dropped. Where that leaves a smaller result, it is broadcast instead.
Value broadcast_late(Simplifier& s, const Node& n) {
  Values operands = n.operands;
  bool changed = false;
  for (Value& v : operands) {
    const TensorType t = s.type(v);
    if (t.rank() == 0) continue;
    if (const auto c = s.scalar(v)) {
      v = s.filled(*c, {t.dtype, {}});
    } else if (const auto b = s.made_by(v, ops::broadcast)) {
      v = b->operands[0];
    } else if (const auto r = s.made_by(v, ops::reshape)) {
      const Shape from = s.type(r->operands[0]).shape;
      Shape to = t.shape;
      if (from.size() >= to.size() || !std::equal(from.rbegin(), from.rend(), to.rbegin()))
        continue;
      bool leading_ones = true;
      for (size_t d = 0; d < to.size() - from.size(); ++d) leading_ones &= to[d].is(1);
      if (!leading_ones) continue;
      v = r->operands[0];
    } else {
      continue;
    }
    changed = true;
  }
  if (!changed) return {};
  OperandGroups groups;
  for (const Value v : operands) groups.push_back({v});
  return as_result(s, n, s.emit(*n.op, groups, n.attrs));
}

}  // namespace

std::span<const SimplificationRule> algebra_rules() {
  static constexpr SimplificationRule rules[] = {
      {nullptr, broadcast_late},
      {nullptr, constant_right},
      {nullptr, idempotent},
      {&ops::add, add},
      {&ops::sub, sub},
      {&ops::mul, mul},
      {&ops::div, div},
      {&ops::neg, neg},
      {&ops::pow, pow},
      {&ops::log, log},
      {&ops::select, select},
      {&ops::logical_not, logical_not},
      {&ops::logical_and, logical_and},
      {&ops::cast, cast},
  };
  return rules;
}

}  // namespace weft::ir
