// autodiff/rules/attention.cpp -- the derivative of attention is attention_grad, from lse.
#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;
namespace {

constexpr std::string_view kDifferentiable[] = {"q", "k", "v", "v_a", "bias"};

Augmented with_lse(Vjp& g) {
  const ir::OpView& op = g.op();
  ir::Attrs attrs = op.node().attrs;
  attrs.set("lse", true);
  ir::Values results = g.builder.emit_all(ops::attention,
                                          {{g.operand("q")},
                                           {g.operand("k")},
                                           {g.operand("v")},
                                           g.optional("v_a"),
                                           g.optional("mask"),
                                           g.optional("bias"),
                                           g.optional("step"),
                                           g.optional("rows"),
                                           g.optional("position")},
                                          attrs);
  return {std::move(results), {}};
}

Grads adjoint(Vjp& g) {
  const ir::OpView& op = g.op();
  ir::Texts wanted;
  for (const std::string_view name : kDifferentiable)
    if (g.wanted(name)) wanted.emplace_back(name);
  const bool weights = op.flag("weights");
  const ir::Values dweights =
      weights && g.has_cotangent(1) ? ir::Values{g.cotangent(1)} : ir::Values{};
  ir::Attrs attrs = op.node().attrs;
  attrs.erase("weights");
  attrs.erase("lse");
  attrs.set("wanted", wanted);
  const ir::Values d = g.builder.emit_all(ops::attention_grad,
                                          {{g.cotangent_or_zero(0)},
                                           {g.operand("q")},
                                           {g.operand("k")},
                                           {g.operand("v")},
                                           {g.result(0)},
                                           {g.result(weights ? 2 : 1)},
                                           g.optional("v_a"),
                                           g.optional("mask"),
                                           g.optional("bias"),
                                           dweights,
                                           g.optional("step"),
                                           g.optional("rows"),
                                           g.optional("position")},
                                          attrs);
  Grads grads = g.none();
  for (size_t i = 0; i < wanted.size(); ++i)
    grads[static_cast<size_t>(op.position(wanted[i]))] = d[i];
  return grads;
}

bool lse_has_adjoint(const Query& q) {
  return q.op().flag("lse") && q.expected(q.op().flag("weights") ? 2 : 1);
}

}  // namespace

const VjpRule attention{&ops::attention, adjoint, with_lse, lse_has_adjoint};
const VjpRule attention_grad = through_expansion(ops::attention_grad);
const VjpRule packed_attention = through_expansion(ops::packed_attention);
const VjpRule packed_attention_grad = through_expansion(ops::packed_attention_grad);

}  // namespace weft::autodiff::rules
