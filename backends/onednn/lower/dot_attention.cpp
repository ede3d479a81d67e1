// backends/onednn/lower/dot_attention.cpp -- dot-product attention and its adjoint.
#include "backends/onednn/kernels/dot_attention.h"

#include "backends/onednn/lower/attention_operands.h"
#include "backends/onednn/plan/moves.h"

#include <algorithm>

namespace weft::onednn {
namespace {

// Of the scores within the band.
double flops(const AttentionOperands& o, int products) {
  double scores = 0;
  for (int64_t t = 0; t < o.s.queries; ++t) {
    const kernels::Keys keys = kernels::within(o.band, t, 1, o.s.keys);
    scores += static_cast<double>(keys.end - keys.begin);
  }
  for (const int64_t d : o.s.leading) scores *= static_cast<double>(d);
  return products * scores * static_cast<double>(o.s.hidden + o.s.width);
}

// Packed rows behind the real ones are zeros, where anybody looks.
void clear_behind(Emit& e, const SequenceStarts& rows, const Tensor& t) {
  if (e.bound()) return;
  e.kernel("clear rows", 0, [=](const Run& run) {
    const int64_t columns = t.rank() == 3 ? t.dim(2) : 1;
    for (int64_t r = rows.rows(run); r < t.dim(0); ++r)
      for (int64_t h = 0; h < t.dim(1); ++h)
        std::fill_n(run.at<float>(t.at) + r * t.stride(0) + h * t.stride(1), columns, 0.0F);
  });
}

// to = from summed over the axes that `to` lacks or has as 1; the last axis is contiguous in both.
void emit_sum_to(Emit& e, const Tensor& from, const Tensor& to) {
  emit_fill(e, to, 0);
  const Tensor wide = broadcast_to(to, from.dims);
  const int64_t columns = from.dim(-1), rows = columns == 0 ? 0 : from.size() / columns;
  e.kernel("sum_bias", 0, [=](const Run& run) {
    for (int64_t row = 0; row < rows; ++row) {
      const float* x = run.at<float>(from.at);
      float* y = run.at<float>(wide.at);
      int64_t rest = row;
      for (int d = from.rank() - 2; d >= 0; rest /= from.dim(d--))
        x += rest % from.dim(d) * from.stride(d), y += rest % from.dim(d) * wide.stride(d);
      for (int64_t c = 0; c < columns; ++c) y[c] += x[c];
    }
  });
}

// Where the gradient of a bias by distance is added up: a sum of its own for every head of every
// entry, so that no two units of work add to one.
Tensor sums_by_distance(Emit& e, const AttentionOperands& o) {
  Dims dims = o.s.leading;
  dims.push_back(o.s.queries + o.s.keys - 1);
  const Tensor sums = e.temporary(ir::DType::f32, dims);
  emit_fill(e, sums, 0);
  return sums;
}

}  // namespace

void lower_dot(Emit& e) {
  const AttentionOperands o(e, true);
  auto args = o.args<kernels::DotAttention>();
  args.heads = o.walk.heads();
  o.emit(e, "dot_attention", flops(o, 2), args, kernels::dot_attention_workspace_bytes(args),
         kernels::dot_attention,
         [results = AttentionResults(e, o)](const Run& run, int64_t i, kernels::DotAttention& a) {
           results.set(run, i, a);
         });
  for (size_t i = 0; o.s.packed && i < e.op.node().results.size(); ++i)
    clear_behind(e, o.query_rows, e.out(static_cast<int>(i)));
}

void lower_dot_grad(Emit& e) {
  const AttentionOperands o(e, true);
  const AttentionAdjoints adjoints(e, o);
  AttentionWalk::Place dbias;
  const Tensor* const d_bias = e.adjoint("bias");
  std::optional<Tensor> sums;
  if (d_bias != nullptr && e.op.flag("by_distance")) {
    sums = sums_by_distance(e, o);
    dbias = o.walk.place(o.s.by_distance(*sums));
  } else if (const Tensor* t = d_bias) {
    emit_fill(e, *t, 0);
    dbias = o.walk.place(o.s.on_scores(*t));
  }
  auto args = o.args<kernels::DotAttentionGrad>();
  args.heads = o.walk.heads();
  args.dbias = {nullptr, dbias.batch, dbias.head, dbias.row, dbias.column};
  // Whether there are any decides how much workspace there is.
  float present = 0;
  args.dq.data = adjoints.dq.present ? &present : nullptr;
  args.dbias.data = dbias.present ? &present : nullptr;
  o.emit(e, "dot_attention_grad", flops(o, 5), args,
         kernels::dot_attention_grad_workspace_bytes(args), kernels::dot_attention_grad,
         [adjoints, dbias](const Run& run, int64_t i, kernels::DotAttentionGrad& a) {
           adjoints.set(run, i, a);
           a.dbias.data = adjoints.walk.at<float>(run, dbias, i);
         });
  if (sums) emit_sum_to(e, *sums, *d_bias);
  if (!o.s.packed) return;
  if (const Tensor* t = e.adjoint("q")) clear_behind(e, o.query_rows, *t);
  if (const Tensor* t = e.adjoint("k")) clear_behind(e, o.key_rows, *t);
  if (const Tensor* t = e.adjoint("v")) clear_behind(e, o.key_rows, *t);
}

}  // namespace weft::onednn
