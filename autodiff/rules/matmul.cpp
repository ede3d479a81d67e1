// autodiff/rules/matmul.cpp -- derivatives of matmul and linear.
#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;
namespace {

Expr exchanged(const Expr& x) {
  ir::Integers perm;
  const int rank = x.type().rank();
  for (int d = 0; d < rank - 2; ++d) perm.push_back(d);
  perm.push_back(rank - 1);
  perm.push_back(rank - 2);
  return autodiff::transpose(x, perm);
}

// What is computed with: f32 where products gave bf16.
Expr in_f32(const Expr& x) { return x.with(x.builder().cast(x, ir::product_dtype(x.dtype()))); }

// db of c = a b for a b of rank 2 that a batch shares: one contraction over all rows.
Expr shared_weight(Expr a, const Expr& dc, bool transpose_a, bool transpose_b) {
  if (transpose_a) a = exchanged(a);
  const Expr rows = flat_rows(a), drows = flat_rows(dc);
  return transpose_b ? autodiff::matmul(drows, rows, true, false)
                     : autodiff::matmul(rows, drows, true, false);
}

}  // namespace

// c = a b   =>   da = dc b',  db = a' dc;  of a transposed operand the transpose of that, with the
// factors exchanged; summed over the leading axes that were broadcast.
const VjpRule matmul{&ops::matmul, [](Vjp& g) -> Grads {
                       const Expr a = g.operand(0), b = g.operand(1), dc = g.cotangent();
                       const bool ta = g.op().flag("transpose_a"), tb = g.op().flag("transpose_b");
                       Grads grads = g.none();
                       if (g.wanted(0)) {
                         const Expr da = ta ? autodiff::matmul(b, dc, tb, true)
                                            : autodiff::matmul(dc, b, false, !tb);
                         grads[0] = sum_to(da, g.op().operand(0).shape);
                       }
                       if (g.wanted(1)) {
                         if (g.op().operand(1).rank() == 2 && g.op().operand(0).rank() > 2) {
                           grads[1] = shared_weight(a, dc, ta, tb);
                         } else {
                           const Expr db = tb ? autodiff::matmul(dc, a, true, ta)
                                              : autodiff::matmul(a, dc, !ta, false);
                           grads[1] = sum_to(db, g.op().operand(1).shape);
                         }
                       }
                       return grads;
                     }};

// y = f(x w + bias), f' known from y   =>   dz = dy f',  dx = dz w',  dw = x' dz,  dbias = sum of
// dz over rows, dresidual = dy
const VjpRule linear{&ops::linear,
                     [](Vjp& g) -> Grads {
                       const Expr x = g.operand("x"), w = g.operand("w"), y = in_f32(g.result());
                       const bool tb = g.op().flag("transpose_b");
                       const std::string& f = g.op().text("activation");
                       Expr dz = in_f32(g.cotangent());
                       if (f == "relu")
                         dz = autodiff::select(apply(ops::less_equal, y, y.number(0)), 0, dz);
                       if (f == "tanh") dz = dz * (1 - y * y);
                       if (f == "sigmoid") dz = dz * (y * (1 - y));
                       const Expr rows = flat_rows(x), drows = flat_rows(dz);
                       Grads grads = g.none();
                       // Leading axes stay as they are where there are any: what is batched may be
                       // packed later.
                       if (g.wanted("x"))
                         grads[0] = g.op().operand("x").rank() == 1
                                        ? autodiff::reshape(autodiff::matmul(drows, w, false, !tb),
                                                            g.op().operand("x").shape)
                                        : autodiff::matmul(dz, w, false, !tb);
                       if (g.wanted("w"))
                         grads[1] = tb ? autodiff::matmul(drows, rows, true, false)
                                       : autodiff::matmul(rows, drows, true, false);
                       if (g.wanted("bias")) grads[2] = sum_to(dz, g.op().operand("bias").shape);
                       if (g.wanted("residual"))
                         grads[static_cast<size_t>(g.op().position("residual"))] =
                             in_f32(g.cotangent());
                       return grads;
                     },
                     nullptr,
                     // Others need the argument of f, which is not kept.
                     [](const Query& q) {
                       const std::string& f = q.op().text("activation");
                       return f != "none" && f != "relu" && f != "tanh" && f != "sigmoid";
                     }};

std::span<const VjpRule* const> of_matmul() {
  static const VjpRule* const kRules[] = {&matmul, &linear};
  return kRules;
}

}  // namespace weft::autodiff::rules
