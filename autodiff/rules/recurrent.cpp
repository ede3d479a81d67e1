// autodiff/rules/recurrent.cpp -- derivatives of the cells: one fused op for what recurs, and an
// ordinary contraction over rows for each weight, so that a loop can do it for all steps at once.
#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;
namespace {

Augmented with_gates(Vjp& g) {
  ir::Attrs attrs = g.op().node().attrs;
  attrs.set("gates", true);
  ir::OperandGroups groups;
  size_t at = 0;
  for (const int size : g.op().node().group_sizes) {
    groups.emplace_back(g.operands().begin() + static_cast<std::ptrdiff_t>(at),
                        g.operands().begin() + static_cast<std::ptrdiff_t>(at) + size);
    at += static_cast<size_t>(size);
  }
  return {g.builder.emit_all(g.op().def(), groups, attrs), {}};
}

// With the gates' adjoint dg:  dU = s' dg[:, :2H],  dUn = (r * s)' dg[:, 2H:] (reset before) or
// s' dm (after),  dbias_n = sum of dm over rows.
Grads gru_adjoint(Vjp& g) {
  const Expr s = g.operand("s"), gates = g.result(1);
  const ir::Dim h = g.op().operand("s").dim(1);
  const bool before = g.op().text("reset") == "before";
  const ir::Values d = g.builder.emit_all(
      ops::gru_cell_grad,
      {{g.cotangent(0)}, {s}, {gates}, {g.operand("U")}, {g.operand("Un")}, g.optional("bias_n")},
      {{"reset", g.op().text("reset")}});
  const Expr dg(g.builder, d[0]);
  Grads grads = g.none();
  grads[0] = d[0];
  grads[1] = d[1];
  if (g.wanted("U")) grads[2] = autodiff::matmul(s, autodiff::slice(dg, -1, 0, h * 2), true);
  if (g.wanted("Un"))
    grads[3] = before ? autodiff::matmul(autodiff::slice(gates, -1, h, h * 2) * s,
                                         autodiff::slice(dg, -1, h * 2, h * 3), true)
                      : autodiff::matmul(s, Expr(g.builder, d[2]), true);
  if (g.wanted("bias_n")) grads[4] = g.builder.sum(d[2], {0});
  return grads;
}

// dU = h' dg
Grads lstm_adjoint(Vjp& g) {
  const ir::Values d = g.builder.emit_all(ops::lstm_cell_grad, {{g.cotangent_or_zero(0)},
                                                                {g.cotangent_or_zero(1)},
                                                                {g.operand("c")},
                                                                {g.result(1)},
                                                                {g.result(2)},
                                                                {g.operand("U")}});
  Grads grads{d[0], d[1], d[2], {}};
  if (g.wanted("U")) grads[3] = autodiff::matmul(g.operand("h"), Expr(g.builder, d[0]), true);
  return grads;
}

}  // namespace

const VjpRule gru_cell{&ops::gru_cell, gru_adjoint, with_gates,
                       [](const Query& q) { return q.op().flag("gates") && q.expected(1); }};
const VjpRule lstm_cell{&ops::lstm_cell, lstm_adjoint, with_gates,
                        [](const Query& q) { return q.op().flag("gates") && q.expected(2); }};
const VjpRule gru_cell_grad = through_expansion(ops::gru_cell_grad),
              lstm_cell_grad = through_expansion(ops::lstm_cell_grad);

std::span<const VjpRule* const> of_recurrent() {
  static const VjpRule* const kRules[] = {&gru_cell, &lstm_cell, &gru_cell_grad, &lstm_cell_grad};
  return kRules;
}

}  // namespace weft::autodiff::rules
