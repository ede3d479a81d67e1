// autodiff/rules/norm.cpp -- the derivatives of layer norm and RMS norm, from their statistics.
#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;
namespace {

bool centred(const ir::OpView& op) { return &op.def() == &ops::layer_norm; }

ir::OperandGroups vectors(Vjp& g) {
  ir::OperandGroups groups{g.optional("scale")};
  if (centred(g.op())) groups.push_back(g.optional("shift"));
  return groups;
}

Augmented with_statistics(Vjp& g) {
  ir::Attrs attrs = g.op().node().attrs;
  attrs.set("statistics", true);
  ir::OperandGroups groups = vectors(g);
  groups.insert(groups.begin(), {g.operand("x")});
  return {g.builder.emit_all(g.op().def(), groups, attrs), {}};
}

Grads adjoint(Vjp& g) {
  const ir::OpView& op = g.op();
  ir::Texts wanted;
  for (const std::string_view name : {"x", "scale", "shift"})
    if (op.def().operand_index(name) >= 0 && g.wanted(name)) wanted.emplace_back(name);
  const ir::Value dy = g.builder.cast(g.cotangent_or_zero(0), op.operand("x").dtype);
  ir::OperandGroups groups{{dy}, {g.operand("x")}, {g.result(1)}};
  if (centred(op)) groups.push_back({g.result(2)});
  for (ir::Values& group : vectors(g)) groups.push_back(std::move(group));
  const ir::Values d = g.builder.emit_all(centred(op) ? ops::layer_norm_grad : ops::rms_norm_grad,
                                          groups, {{"eps", op.real("eps")}, {"wanted", wanted}});
  Grads grads = g.none();
  for (size_t i = 0; i < wanted.size(); ++i)
    grads[static_cast<size_t>(op.position(wanted[i]))] = d[i];
  return grads;
}

bool statistics_have_adjoints(const Query& q) {
  if (!q.op().flag("statistics")) return false;
  return q.expected(1) || (centred(q.op()) && q.expected(2));
}

}  // namespace

const VjpRule layer_norm{&ops::layer_norm, adjoint, with_statistics, statistics_have_adjoints};
const VjpRule layer_norm_grad = through_expansion(ops::layer_norm_grad);
const VjpRule rms_norm{&ops::rms_norm, adjoint, with_statistics, statistics_have_adjoints};
const VjpRule rms_norm_grad = through_expansion(ops::rms_norm_grad);

std::span<const VjpRule* const> of_norm() {
  static const VjpRule* const kRules[] = {&layer_norm, &layer_norm_grad, &rms_norm, &rms_norm_grad};
  return kRules;
}

}  // namespace weft::autodiff::rules
