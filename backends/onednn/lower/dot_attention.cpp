// backends/onednn/lower/dot_attention.cpp -- dot-product attention and its adjoint.
#include "backends/onednn/kernels/dot_attention.h"

#include "backends/onednn/lower/attention_operands.h"

namespace weft::onednn {
namespace {

using Place = AttentionWalk::Place;

double flops(const AttentionSizes& s, int products) {
  double scores = 1;
  for (const int64_t d : s.scores) scores *= static_cast<double>(d);
  return products * scores * static_cast<double>(s.hidden + s.width);
}

}  // namespace

void lower_dot(Emit& e) {
  const AttentionOperands o(e, true);
  const Place out = o.queries_at(e.out(0));
  Place weights, lse;
  if (e.op.flag("weights")) weights = o.queries_at(e.out(1));
  if (e.op.flag("lse")) lse = o.lse_at(e.out(e.op.flag("weights") ? 2 : 1));
  auto args = o.args<kernels::DotAttention>();
  args.heads = o.walk.heads();
  o.emit(e, "dot_attention", flops(o.s, 2), args, kernels::dot_attention_workspace_bytes(args),
         kernels::dot_attention,
         [=, walk = o.walk](const Run& run, int64_t i, kernels::DotAttention& a) {
           a.out = walk.heads<float>(run, out, i);
           a.weights = walk.heads<float>(run, weights, i);
           a.lse = walk.heads<float>(run, lse, i);
         });
}

void lower_dot_grad(Emit& e) {
  const AttentionOperands o(e, true);
  const Place out = o.queries_at(e.in("o")), dout = o.queries_at(e.in("do")),
              lse = o.lse_at(e.in("lse"));
  Place dweights, dq, dk, dv, dbias;
  if (e.has("dweights")) dweights = o.queries_at(e.in("dweights"));
  if (const Tensor* t = e.adjoint("q")) dq = o.queries_at(*t);
  if (const Tensor* t = e.adjoint("k")) dk = o.walk.place(*t);
  if (const Tensor* t = e.adjoint("v")) dv = o.walk.place(*t);
  auto args = o.args<kernels::DotAttentionGrad>();
  args.heads = o.walk.heads();
  if (const Tensor* t = e.adjoint("bias")) {
    emit_fill(e, *t, 0);
    dbias = o.walk.place(o.s.on_scores(*t));
  }
  args.dbias = {nullptr, dbias.batch, dbias.head, dbias.row, dbias.column};
  float present = 0;
  args.dq.data = dq.present ? &present : nullptr;
  args.dbias.data = dbias.present ? &present : nullptr;
  o.emit(e, "dot_attention_grad", flops(o.s, 5), args,
         kernels::dot_attention_grad_workspace_bytes(args), kernels::dot_attention_grad,
         [=, walk = o.walk](const Run& run, int64_t i, kernels::DotAttentionGrad& a) {
           a.out = walk.heads<const float>(run, out, i);
           a.lse = walk.heads<const float>(run, lse, i);
           a.dout = walk.heads<const float>(run, dout, i);
           a.dweights = walk.heads<const float>(run, dweights, i);
           a.dq = walk.heads<float>(run, dq, i);
           a.dk = walk.heads<float>(run, dk, i);
           a.dv = walk.heads<float>(run, dv, i);
           a.dbias.data = walk.at<float>(run, dbias, i);
         });
}

}  // namespace weft::onednn
