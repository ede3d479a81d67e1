// backends/onednn/lower/additive_attention.cpp -- additive attention and its adjoint.
#include "backends/onednn/kernels/additive_attention.h"

#include "backends/onednn/lower/attention_operands.h"
#include "backends/onednn/plan/moves.h"

namespace weft::onednn {
namespace {

// to = x summed over the axes along which `to` was broadcast: one number a score, few beside the
// tanh behind each.
void emit_sum_to(Emit& e, const Tensor& x, const Tensor& to) {
  const Tensor target = broadcast_to(to, x.dims);
  emit_fill(e, to, 0);
  e.kernel("sum of score gradients", 0, [=](const Run& run) {
    for (int64_t i = 0; i < x.size(); ++i) {
      int64_t rest = i, at = 0;
      for (int axis = x.rank() - 1; axis >= 0; rest /= x.dim(axis--))
        at += rest % x.dim(axis) * target.stride(axis);
      run.at<float>(to.at)[at] += run.at<float>(x.at)[i];
    }
  });
}

}  // namespace

void lower_additive(Emit& e) {
  const AttentionOperands o(e, false);
  const auto args = o.args<kernels::AdditiveAttention>();
  o.emit(e, "additive_attention", 0, args, kernels::additive_attention_workspace_bytes(args),
         kernels::additive_attention,
         [results = AttentionResults(e, o), va = e.in("v_a").at](const Run& run, int64_t i,
                                                                 kernels::AdditiveAttention& a) {
           results.set(run, i, a);
           a.va = run.at<float>(va);
         });
}

void lower_additive_grad(Emit& e) {
  const AttentionOperands o(e, false);
  const AttentionAdjoints adjoints(e, o);
  const Tensor *const dva = e.adjoint("v_a"), *const dbias = e.adjoint("bias");
  const Tensor scores = dbias != nullptr ? e.temporary(ir::DType::f32, o.s.scores) : Tensor{};
  AttentionWalk::Place ds;
  if (dbias != nullptr) ds = o.walk.place(scores);
  if (dva != nullptr && o.walk.steps() == 0) emit_fill(e, *dva, 0);
  const auto args = o.args<kernels::AdditiveAttentionGrad>();
  o.emit(e, "additive_attention_grad", 0, args,
         kernels::additive_attention_grad_workspace_bytes(args), kernels::additive_attention_grad,
         [adjoints, ds, va = e.in("v_a").at,
          dva = dva != nullptr ? std::optional(dva->at) : std::nullopt](
             const Run& run, int64_t i, kernels::AdditiveAttentionGrad& a) {
           adjoints.set(run, i, a);
           a.va = run.at<float>(va);
           a.ds = adjoints.walk.heads<float>(run, ds, i);
           a.dva = dva ? run.at<float>(*dva) : nullptr;
           a.accumulate_dva = i > 0;
         });
  if (dbias != nullptr) emit_sum_to(e, scores, o.s.with_queries(*dbias));
}

}  // namespace weft::onednn
