// autodiff/rules/reduce.cpp -- derivatives of reductions and of sums along an axis.
#include "autodiff/rules/table.h"

#include <algorithm>

namespace weft::autodiff::rules {
namespace ops = ir::ops;
namespace {

ir::Shape kept_shape(const ir::OpView& op) {
  ir::Shape shape = op.operand(0).shape;
  for (const int64_t a : op.axes()) shape[static_cast<size_t>(a)] = 1;
  return shape;
}

// A value of the reduced shape, with 1 in place of the reduced axes.
Expr kept(const Vjp& g, const Expr& y) { return autodiff::reshape(y, kept_shape(g.op())); }

Expr spread(const Vjp& g, const Expr& dy) {
  return autodiff::broadcast(kept(g, dy), g.op().operand(0).shape);
}

// The number of elements that were reduced, as a scalar.
Expr count(const Vjp& g) {
  const ir::TensorType& x = g.op().operand(0);
  int64_t known = 1;
  Expr n;
  for (const int64_t a : g.op().axes()) {
    if (const auto c = x.dim(a).constant()) {
      known *= *c;
      continue;
    }
    const Expr size = apply(ops::dim_size, g.operand(), {{"axis", a}, {"dtype", x.dtype}});
    n = n.valid() ? n * size : size;
  }
  if (!n.valid()) return {g.builder, g.builder.scalar(static_cast<double>(known), x.dtype)};
  return known == 1 ? n : n * static_cast<double>(known);
}

// dy to the elements that equal the extreme, shared equally.
Grads to_extreme(Vjp& g) {
  const Expr x = g.operand(), dy = kept(g, g.cotangent());
  const Expr chosen = autodiff::equal(x, kept(g, g.result()));
  const Expr one = autodiff::select(chosen, x.number(1), x.number(0));
  const Expr ties{g.builder, g.builder.sum(one, g.op().axes(), true)};
  return {autodiff::select(chosen, autodiff::broadcast(dy / ties, g.op().operand(0).shape), 0)};
}

// y[i] = x[i+1] (to the front) or x[i-1], 0 where there is none.
Expr shifted(const Expr& x, int64_t axis, bool to_front) {
  const ir::Dim n = x.type().dim(axis);
  if (n.is(0)) return x;
  const Expr rest = to_front ? autodiff::slice(x, axis, 1, n) : autodiff::slice(x, axis, 0, n - 1);
  return apply(ops::pad, rest, {{"axis", axis}, {to_front ? "high" : "low", ir::Dim(1)}});
}

Expr recurrence(const Expr& a, const Expr& b, int64_t axis, bool reverse) {
  return a.with(
      a.builder().emit(ops::linear_recurrence, {{a}, {b}}, {{"axis", axis}, {"reverse", reverse}}));
}

}  // namespace

const VjpRule sum{&ops::sum, [](Vjp& g) -> Grads { return {spread(g, g.cotangent())}; }};
const VjpRule mean{&ops::mean,
                   [](Vjp& g) -> Grads { return {spread(g, g.cotangent() / count(g))}; }};
const VjpRule max{&ops::max, [](Vjp& g) -> Grads { return to_extreme(g); }};
const VjpRule min{&ops::min, [](Vjp& g) -> Grads { return to_extreme(g); }};

// dx[i] = dy * prod of x[j], j != i. The products are formed outright, from an [n,n] table with
// ones on its diagonal, and not as y / x[i]: exact where elements are 0, in derivatives of any
// order.
const VjpRule prod{
    &ops::prod, [](Vjp& g) -> Grads {
      const ir::Shape shape = g.op().operand(0).shape;
      const std::vector<int64_t> axes = g.op().axes();
      ir::Integers perm, back(shape.size());  // the reduced axes last
      ir::Shape rows, moved;
      for (int pass = 0; pass < 2; ++pass)
        for (size_t d = 0; d < shape.size(); ++d) {
          const bool reduced =
              std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) != axes.end();
          if (reduced != (pass == 1)) continue;
          back[d] = static_cast<int64_t>(perm.size());
          perm.push_back(static_cast<int64_t>(d));
          moved.push_back(shape[d]);
          if (!reduced) rows.push_back(shape[d]);
        }
      ir::Dim n = 1;
      for (const int64_t a : axes) n = n * shape[static_cast<size_t>(a)];
      ir::Shape one_row = rows, lanes = rows, dlanes = rows;
      one_row.emplace_back(1);
      one_row.push_back(n);  // [...,1,n]
      lanes.push_back(n);    // [...,n]
      dlanes.emplace_back(1);
      const auto index = [&](int64_t axis) {
        return Expr(g.builder,
                    g.builder.emit(
                        ops::iota, {},
                        {{"shape", ir::Shape{n, n}}, {"axis", axis}, {"dtype", ir::DType::s32}}));
      };
      const Expr x = autodiff::reshape(autodiff::transpose(g.operand(), perm), one_row);
      const Expr table = autodiff::select(autodiff::equal(index(0), index(1)), 1, x);  // [...,n,n]
      const Expr others{g.builder,
                        g.builder.emit(ops::prod, {{table}}, {{"axes", ir::Integers{-1}}})};
      const Expr d = autodiff::reshape(g.cotangent(), dlanes) * others;
      return {autodiff::transpose(autodiff::reshape(d, moved), back)};
    }};

// y[i] = sum of x[0..i]   =>   dx[j] = sum of dy[j..]: the same sum from the other end
const VjpRule cumsum{&ops::cumsum, [](Vjp& g) -> Grads {
                       return {apply(ops::cumsum, g.cotangent(),
                                     {{"axis", g.op().axis()},
                                      {"reverse", !g.op().flag("reverse")},
                                      {"exclusive", g.op().flag("exclusive")}})};
                     }};

// y[i] = prod of x[0..i]   =>   dx[j] = prod of x[0..j-1] * r[j], where r gathers from the end what
// the later products make of x[j]:  r[j] = dy[j] + x[j+1] * r[j+1].  Nothing is divided by x, so zeros
// are elements like any others, in derivatives of any order. Exclusive: y is one place further on.
const VjpRule cumprod{&ops::cumprod, [](Vjp& g) -> Grads {
                        const int64_t axis = g.op().axis();
                        const bool reverse = g.op().flag("reverse");
                        const Expr dy = g.cotangent(), x = g.operand();
                        const Expr before =
                            apply(ops::cumprod, x,
                                  {{"axis", axis}, {"reverse", reverse}, {"exclusive", true}});
                        const Expr later = shifted(x, axis, !reverse);
                        const Expr dz = g.op().flag("exclusive") ? shifted(dy, axis, !reverse) : dy;
                        return {before * recurrence(later, dz, axis, !reverse)};
                      }};

// y[i] = a[i] y[i-1] + b[i]   =>   db[i] = dy[i] + a[i+1] db[i+1],  da[i] = db[i] * y[i-1]
const VjpRule linear_recurrence{&ops::linear_recurrence, [](Vjp& g) -> Grads {
                                  const int64_t axis = g.op().axis();
                                  const bool reverse = g.op().flag("reverse");
                                  const Expr db = recurrence(shifted(g.operand(0), axis, !reverse),
                                                             g.cotangent(), axis, !reverse);
                                  return {db * shifted(g.result(), axis, reverse), db};
                                }};

const VjpRule arg_max = zero_gradient(ops::arg_max);

std::span<const VjpRule* const> of_reduce() {
  static const VjpRule* const kRules[] = {
      &sum, &mean, &max, &min, &prod, &cumsum, &cumprod, &linear_recurrence, &arg_max};
  return kRules;
}

}  // namespace weft::autodiff::rules
