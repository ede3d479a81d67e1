// autodiff/rules/attention.cpp -- the derivative of attention is attention_grad, from lse.
#include "autodiff/rules/table.h"
#include "ir/ops/attention_parts.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;
namespace {

constexpr std::string_view kDifferentiable[] = {"q", "k", "v", "v_a", "bias"};

Augmented with_lse(Vjp& g) {
  ops::AttentionParts parts(g.op(), g.operands());
  parts.attrs.set("lse", true);
  return {parts.emit(g.builder, ops::attention), {}};
}

Grads adjoint(Vjp& g) {
  const ir::OpView& op = g.op();
  ir::Texts wanted;
  for (const std::string_view name : kDifferentiable)
    if (g.wanted(name)) wanted.emplace_back(name);
  const bool weights = op.flag("weights");
  ops::AttentionParts parts(op, g.operands());
  parts["do"] = g.cotangent_or_zero(0);
  parts["o"] = g.result(0);
  parts["lse"] = g.result(weights ? 2 : 1);
  if (weights && g.has_cotangent(1)) parts["dweights"] = g.cotangent(1);
  const int lse = weights ? 2 : 1;
  if (op.flag("lse") && g.has_cotangent(lse)) parts["dlse"] = g.cotangent(lse);
  parts.attrs.set("wanted", wanted);
  const ir::Values d = parts.emit(g.builder, ops::attention_grad);
  Grads grads = g.none();
  for (size_t i = 0; i < wanted.size(); ++i)
    grads[static_cast<size_t>(op.position(wanted[i]))] = d[i];
  return grads;
}

bool lse_has_adjoint(const Query& q) {
  return ops::is_additive(q.op()) && q.op().flag("lse") &&
         q.expected(q.op().flag("weights") ? 2 : 1);
}

}  // namespace

const VjpRule attention{&ops::attention, adjoint, with_lse, lse_has_adjoint};
const VjpRule attention_grad = through_expansion(ops::attention_grad);
const VjpRule packed_attention = through_expansion(ops::packed_attention);
const VjpRule packed_attention_grad = through_expansion(ops::packed_attention_grad);

std::span<const VjpRule* const> of_attention() {
  static const VjpRule* const kRules[] = {&attention, &attention_grad, &packed_attention,
                                          &packed_attention_grad};
  return kRules;
}

}  // namespace weft::autodiff::rules
