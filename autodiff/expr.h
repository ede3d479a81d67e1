// autodiff/expr.h -- arithmetic on graph values, so that a derivative reads as its formula.
//
// An Expr is a value with the builder that appends to its graph: `y * (dy - sum_keep(dy * y,
// axis))` appends three nodes and a constant where there is one. Numbers take the dtype of the
// other side.
#pragma once
#include "ir/rewrite/builder.h"

namespace weft::autodiff {

class Expr {
 public:
  Expr() = default;  // nothing: a zero adjoint
  Expr(ir::Builder& builder, ir::Value value) : builder_(&builder), value_(value) {}

  operator ir::Value() const { return value_; }  // NOLINT: an Expr is a value
  bool valid() const { return value_.valid(); }
  ir::Builder& builder() const { return *builder_; }
  const ir::TensorType& type() const { return builder_->type(value_); }
  ir::DType dtype() const { return type().dtype; }
  Expr number(double x) const { return {*builder_, builder_->scalar(x, dtype())}; }
  Expr with(ir::Value v) const { return {*builder_, v}; }

 private:
  ir::Builder* builder_ = nullptr;
  ir::Value value_;
};

inline Expr apply(const ir::OpDef& op, const Expr& x, ir::Attrs attrs = {}) {
  return x.with(x.builder().emit(op, {{x}}, std::move(attrs)));
}
inline Expr apply(const ir::OpDef& op, const Expr& a, const Expr& b) {
  return a.with(a.builder().emit(op, {{a}, {b}}));
}

inline Expr operator+(const Expr& a, const Expr& b) { return apply(ir::ops::add, a, b); }
inline Expr operator-(const Expr& a, const Expr& b) { return apply(ir::ops::sub, a, b); }
inline Expr operator*(const Expr& a, const Expr& b) { return apply(ir::ops::mul, a, b); }
inline Expr operator/(const Expr& a, const Expr& b) { return apply(ir::ops::div, a, b); }
inline Expr operator-(const Expr& x) { return apply(ir::ops::neg, x); }

inline Expr operator+(const Expr& a, double b) { return a + a.number(b); }
inline Expr operator-(const Expr& a, double b) { return a - a.number(b); }
inline Expr operator*(const Expr& a, double b) { return a * a.number(b); }
inline Expr operator/(const Expr& a, double b) { return a / a.number(b); }
inline Expr operator+(double a, const Expr& b) { return b.number(a) + b; }
inline Expr operator-(double a, const Expr& b) { return b.number(a) - b; }
inline Expr operator*(double a, const Expr& b) { return b * a; }
inline Expr operator/(double a, const Expr& b) { return b.number(a) / b; }

inline Expr equal(const Expr& a, const Expr& b) { return apply(ir::ops::equal, a, b); }
inline Expr equal(const Expr& a, double b) { return equal(a, a.number(b)); }
inline Expr less(const Expr& a, const Expr& b) { return apply(ir::ops::less, a, b); }

inline Expr select(const Expr& cond, const Expr& a, const Expr& b) {
  return a.with(a.builder().select(cond, a, b));
}
inline Expr select(const Expr& cond, const Expr& a, double b) {
  return select(cond, a, a.number(b));
}
inline Expr select(const Expr& cond, double a, const Expr& b) {
  return select(cond, b.number(a), b);
}

inline Expr exp(const Expr& x) { return apply(ir::ops::exp, x); }
inline Expr sum_keep(const Expr& x, int64_t axis) {
  return x.with(x.builder().sum(x, {axis}, true));
}
inline Expr sum_to(const Expr& x, const ir::Shape& shape) {
  return x.with(x.builder().sum_to(x, ir::Shape(shape)));
}
inline Expr reshape(const Expr& x, const ir::Shape& shape) {
  return x.with(x.builder().reshape(x, ir::Shape(shape)));
}
inline Expr broadcast(const Expr& x, const ir::Shape& shape) {
  return x.with(x.builder().broadcast(x, ir::Shape(shape)));
}
inline Expr transpose(const Expr& x, const ir::Integers& perm) {
  return x.with(x.builder().transpose(x, perm));
}
inline Expr slice(const Expr& x, int64_t axis, const ir::Dim& start, const ir::Dim& stop) {
  return x.with(x.builder().slice(x, axis, start, stop));
}
// Where one of both is bf16 the other is rounded to it.
inline Expr matmul(const Expr& a, const Expr& b, bool transpose_a = false,
                   bool transpose_b = false) {
  ir::Builder& builder = a.builder();
  const bool bf16 = a.type().dtype == ir::DType::bf16 || b.type().dtype == ir::DType::bf16;
  const auto as_read = [&](ir::Value x) { return bf16 ? builder.cast(x, ir::DType::bf16) : x; };
  return a.with(builder.matmul(as_read(a), as_read(b), transpose_a, transpose_b));
}
// Rows of any number of leading axes as one: [...,K] -> [rows,K].
inline Expr flat_rows(const Expr& x) {
  ir::Shape leading = x.type().shape;
  const ir::Dim width = leading.back();
  leading.pop_back();
  return reshape(x, {ir::product(leading), width});
}

}  // namespace weft::autodiff
