// backends/onednn/lower/additive_attention.cpp -- additive attention and its adjoint.
#include "backends/onednn/kernels/additive_attention.h"

#include "backends/onednn/lower/attention_operands.h"

namespace weft::onednn {
namespace {

using Place = AttentionWalk::Place;

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
  const Place out = o.queries_at(e.out(0));
  Place weights, lse;
  if (e.op.flag("weights")) weights = o.queries_at(e.out(1));
  if (e.op.flag("lse")) lse = o.lse_at(e.out(e.op.flag("weights") ? 2 : 1));
  const auto args = o.args<kernels::AdditiveAttention>();
  o.emit(e, "additive_attention", 0, args, kernels::additive_attention_workspace_bytes(args),
         kernels::additive_attention,
         [=, walk = o.walk, va = e.in("v_a").at](const Run& run, int64_t i,
                                                 kernels::AdditiveAttention& a) {
           a.va = run.at<float>(va);
           a.out = walk.heads<float>(run, out, i);
           a.weights = walk.heads<float>(run, weights, i);
           a.lse = walk.heads<float>(run, lse, i);
         });
}

void lower_additive_grad(Emit& e) {
  const AttentionOperands o(e, false);
  const Place out = o.queries_at(e.in("o")), dout = o.queries_at(e.in("do")),
              lse = o.lse_at(e.in("lse"));
  Place dweights, dq, dk, dv, ds;
  if (e.has("dweights")) dweights = o.queries_at(e.in("dweights"));
  if (const Tensor* t = e.adjoint("q")) dq = o.queries_at(*t);
  if (const Tensor* t = e.adjoint("k")) dk = o.walk.place(*t);
  if (const Tensor* t = e.adjoint("v")) dv = o.walk.place(*t);
  const Tensor* const dbias = e.adjoint("bias");
  const Tensor scores = dbias != nullptr ? e.temporary(ir::DType::f32, o.s.scores) : Tensor{};
  if (dbias != nullptr) ds = o.walk.place(scores);
  const Tensor* const dva_to = e.adjoint("v_a");
  if (dva_to != nullptr && o.walk.steps() == 0) emit_fill(e, *dva_to, 0);
  const auto args = o.args<kernels::AdditiveAttentionGrad>();
  o.emit(e, "additive_attention_grad", 0, args,
         kernels::additive_attention_grad_workspace_bytes(args), kernels::additive_attention_grad,
         [=, walk = o.walk, va = e.in("v_a").at, wants_va = dva_to != nullptr,
          dva = dva_to != nullptr ? dva_to->at : e.in("v_a").at](
             const Run& run, int64_t i, kernels::AdditiveAttentionGrad& a) {
           a.va = run.at<float>(va);
           a.out = walk.heads<const float>(run, out, i);
           a.lse = walk.heads<const float>(run, lse, i);
           a.dout = walk.heads<const float>(run, dout, i);
           a.dweights = walk.heads<const float>(run, dweights, i);
           a.dq = walk.heads<float>(run, dq, i);
           a.dk = walk.heads<float>(run, dk, i);
           a.dv = walk.heads<float>(run, dv, i);
           a.ds = walk.heads<float>(run, ds, i);
           a.dva = wants_va ? run.at<float>(dva) : nullptr;
           a.accumulate_dva = i > 0;
         });
  if (dbias != nullptr) emit_sum_to(e, scores, o.s.with_queries(*dbias));
}

}  // namespace weft::onednn
