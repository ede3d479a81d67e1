// backends/onednn/lower/additive_attention.cpp -- additive attention and its adjoint.
#include "backends/onednn/kernels/additive_attention.h"

#include "backends/onednn/lower/attention_operands.h"

#include <algorithm>

namespace weft::onednn {
namespace {

// Leading axes flattened: the index of a batch entry gives each tensor's byte offset.
struct Walk {
  Dims dims;
  std::vector<Dims> strides;  // in bytes, by tensor

  explicit Walk(Dims dims) : dims(std::move(dims)) {}
  int add(const Tensor& t) {
    strides.emplace_back();
    for (size_t i = 0; i < dims.size(); ++i)
      strides.back().push_back(t.strides[i] * t.element_bytes());
    return static_cast<int>(strides.size()) - 1;
  }
  int64_t count() const {
    int64_t n = 1;
    for (const int64_t d : dims) n *= d;
    return n;
  }
  int64_t offset(int tensor, int64_t i) const {
    int64_t at = 0;
    for (size_t axis = dims.size(); axis-- > 0; i /= dims[axis])
      at += i % dims[axis] * strides[static_cast<size_t>(tensor)][axis];
    return at;
  }
};

// Kernels take one batch axis: where all leading axes of all operands merge into one, that is it;
// else the last leading axis is the kernel's and the others are walked.
struct Batches {
  std::vector<Tensor> tensors;  // in the order given, [walked..., batch, row, column]
  Dims walked;

  Batches(const AttentionSizes& s, std::vector<Tensor> all) : tensors(std::move(all)) {
    std::vector<Tensor> heads;
    for (const Tensor& t : tensors) {
      Tensor head = t;
      head.dims.assign(t.dims.begin(), t.dims.begin() + static_cast<int64_t>(s.leading.size()));
      head.strides.assign(t.strides.begin(),
                          t.strides.begin() + static_cast<int64_t>(s.leading.size()));
      heads.push_back(broadcast_to(head, s.leading));
    }
    std::vector<Tensor*> pointers;
    for (Tensor& h : heads) pointers.push_back(&h);
    collapse(pointers);
    if (!heads[0].dims.empty()) walked.assign(heads[0].dims.begin(), heads[0].dims.end() - 1);
    for (size_t i = 0; i < tensors.size(); ++i) {
      Tensor& h = heads[i];
      if (h.dims.empty()) {
        h.dims = {1};
        h.strides = {0};
      }
      h.dims.insert(h.dims.end(), tensors[i].dims.begin() + static_cast<int64_t>(s.leading.size()),
                    tensors[i].dims.end());
      h.strides.insert(h.strides.end(),
                       tensors[i].strides.begin() + static_cast<int64_t>(s.leading.size()),
                       tensors[i].strides.end());
      tensors[i] = h;
    }
  }
};

struct Additive {
  std::vector<Tensor> t;  // batched as Batches left them; by slot
  Walk walk{{}};

  const Tensor& of(int slot) const { return t[static_cast<size_t>(slot)]; }
  template <typename T>
  T* at(const Run& run, int slot, int64_t i) const {
    return reinterpret_cast<T*>(run(of(slot).at) + walk.offset(slot, i));
  }
  int64_t batch(int slot) const { return of(slot).strides[walk.dims.size()]; }
  int64_t row(int slot) const { return of(slot).strides[walk.dims.size() + 1]; }
  int64_t column(int slot) const { return of(slot).strides[walk.dims.size() + 2]; }
};

Additive batched(const AttentionSizes& s, const std::vector<Tensor>& all) {
  const Batches b(s, all);
  Additive a;
  a.t = b.tensors;
  a.walk = Walk(b.walked);
  for (const Tensor& t : a.t) a.walk.add(t);
  return a;
}

kernels::Mask mask_of(const Additive& a, int slot) {
  return {.batch = a.batch(slot), .row = a.row(slot), .column = a.column(slot)};
}

kernels::Bias bias_of(const Additive& a, int slot) {
  return {.batch = a.batch(slot), .row = a.row(slot), .column = a.column(slot)};
}

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
  const AttentionSizes s(e);
  const Tensor o = s.with_queries(e.out(0));
  const bool masked = e.has("mask"), weighted = e.op.flag("weights"), summed = e.op.flag("lse");
  const bool biased = e.has("bias");
  enum { kQ, kK, kV, kO, kMask, kBias, kWeights, kLse };
  const Drawn drawn(e, s);
  const Tensor mask = masked ? s.on_scores(e.in("mask")) : o;
  const Tensor weights = weighted ? s.with_queries(e.out(1)) : o;
  const Tensor lse = summed ? with_axis(s.of_lse(e.out(weighted ? 2 : 1)),
                                        static_cast<int>(s.leading.size()) + 1, 1, 1)
                            : o;
  const Additive a = batched(s, {s.with_queries(e.in("q")), e.in("k"), e.in("v"), o, mask,
                                 biased ? s.on_scores(e.in("bias")) : o, weights, lse});
  kernels::AdditiveAttention args{.batch = a.of(kK).dim(-3),
                                  .queries = s.queries,
                                  .keys = s.keys,
                                  .hidden = s.hidden,
                                  .width = s.width,
                                  .q_batch = a.batch(kQ),
                                  .q_row = a.row(kQ),
                                  .k_batch = a.batch(kK),
                                  .k_row = a.row(kK),
                                  .v_batch = a.batch(kV),
                                  .v_row = a.row(kV),
                                  .diagonal = diagonal_of(e),
                                  .dropout = drawn.args,
                                  .scale = static_cast<float>(e.op.real("scale")),
                                  .out_batch = a.batch(kO),
                                  .out_row = a.row(kO)};
  if (masked) args.mask = mask_of(a, kMask);
  if (biased) args.bias = bias_of(a, kBias);
  float present = 0;
  args.weights = weighted ? &present : nullptr;
  args.lse = summed ? &present : nullptr;
  args.weights_batch = a.batch(kWeights), args.weights_row = a.row(kWeights);
  args.lse_batch = a.batch(kLse),
  args.lse_row = summed ? lse.stride(static_cast<int>(s.leading.size())) : 1;
  const Ref workspace =
      e.workspace(static_cast<int64_t>(kernels::additive_attention_workspace_bytes(args)));
  const Ref va = e.in("v_a").at;
  e.kernel("additive_attention", 0,
           [=, rows = bound_of(e, a.walk.count(), args.batch)](const Run& run) {
             kernels::AdditiveAttention k = args;
             if (rows) k.batch = (*rows)(run);
             for (int64_t i = 0; i < a.walk.count(); ++i) {
               k.q = a.at<float>(run, kQ, i), k.k = a.at<float>(run, kK, i),
               k.v = a.at<float>(run, kV, i), k.va = run.at<float>(va);
               k.mask.allowed = masked ? a.at<uint8_t>(run, kMask, i) : nullptr;
               k.bias.data = biased ? a.at<float>(run, kBias, i) : nullptr;
               drawn.set(run, k.dropout);
               k.out = a.at<float>(run, kO, i);
               k.weights = weighted ? a.at<float>(run, kWeights, i) : nullptr;
               k.lse = summed ? a.at<float>(run, kLse, i) : nullptr;
               k.workspace = run(workspace);
               kernels::additive_attention(k);
             }
           });
}

void lower_additive_grad(Emit& e) {
  const AttentionSizes s(e);
  enum { kQ, kK, kV, kO, kDo, kMask, kBias, kDweights, kLse, kDq, kDk, kDv, kDs };
  const Tensor q = s.with_queries(e.in("q")), lse = s.of_lse(e.in("lse"));
  const bool masked = e.has("mask"), weighted = e.has("dweights");
  const int dq = wanted_index(e.op, "q"), dk = wanted_index(e.op, "k"),
            dv = wanted_index(e.op, "v"), dva = wanted_index(e.op, "v_a"),
            dbias = wanted_index(e.op, "bias");
  const bool biased = e.has("bias");
  const Drawn drawn(e, s);
  const Tensor ds = dbias >= 0 ? e.temporary(kFloat, s.scores) : q;
  const Additive a =
      batched(s, {q, e.in("k"), e.in("v"), s.with_queries(e.in("o")), s.with_queries(e.in("do")),
                  masked ? s.on_scores(e.in("mask")) : q, biased ? s.on_scores(e.in("bias")) : q,
                  weighted ? s.with_queries(e.in("dweights")) : q, with_axis(lse, lse.rank(), 1, 1),
                  dq >= 0 ? s.with_queries(e.out(dq)) : q, dk >= 0 ? e.out(dk) : e.in("k"),
                  dv >= 0 ? e.out(dv) : e.in("v"), ds});
  kernels::AdditiveAttentionGrad args{.batch = a.of(kK).dim(-3),
                                      .queries = s.queries,
                                      .keys = s.keys,
                                      .hidden = s.hidden,
                                      .width = s.width,
                                      .q_batch = a.batch(kQ),
                                      .q_row = a.row(kQ),
                                      .k_batch = a.batch(kK),
                                      .k_row = a.row(kK),
                                      .v_batch = a.batch(kV),
                                      .v_row = a.row(kV),
                                      .diagonal = diagonal_of(e),
                                      .dropout = drawn.args,
                                      .scale = static_cast<float>(e.op.real("scale")),
                                      .out_batch = a.batch(kO),
                                      .out_row = a.row(kO),
                                      .lse_batch = a.batch(kLse),
                                      .lse_row = a.row(kLse),
                                      .dout_batch = a.batch(kDo),
                                      .dout_row = a.row(kDo),
                                      .dweights_batch = a.batch(kDweights),
                                      .dweights_row = a.row(kDweights),
                                      .dq_batch = a.batch(kDq),
                                      .dq_row = a.row(kDq),
                                      .dk_batch = a.batch(kDk),
                                      .dk_row = a.row(kDk),
                                      .dv_batch = a.batch(kDv),
                                      .dv_row = a.row(kDv)};
  if (masked) args.mask = mask_of(a, kMask);
  if (biased) args.bias = bias_of(a, kBias);
  float present = 0;
  args.ds = dbias >= 0 ? &present : nullptr;
  args.dweights = weighted ? &present : nullptr;
  args.dq = dq >= 0 ? &present : nullptr, args.dk = dk >= 0 ? &present : nullptr;
  args.dv = dv >= 0 ? &present : nullptr, args.dva = dva >= 0 ? &present : nullptr;
  const Ref workspace =
      e.workspace(static_cast<int64_t>(kernels::additive_attention_grad_workspace_bytes(args)));
  const Ref va = e.in("v_a").at, dva_at = dva >= 0 ? e.out(dva).at : va;
  if (s.batch == 0 && dva >= 0) emit_fill(e, e.out(dva), 0);
  e.kernel("additive_attention_grad", 0,
           [=, rows = bound_of(e, a.walk.count(), args.batch)](const Run& run) {
             kernels::AdditiveAttentionGrad k = args;
             if (rows) k.batch = (*rows)(run);
             for (int64_t i = 0; i < a.walk.count(); ++i) {
               k.q = a.at<float>(run, kQ, i), k.k = a.at<float>(run, kK, i),
               k.v = a.at<float>(run, kV, i), k.va = run.at<float>(va);
               k.mask.allowed = masked ? a.at<uint8_t>(run, kMask, i) : nullptr;
               k.bias.data = biased ? a.at<float>(run, kBias, i) : nullptr;
               drawn.set(run, k.dropout);
               k.ds = dbias >= 0 ? a.at<float>(run, kDs, i) : nullptr;
               k.out = a.at<float>(run, kO, i), k.dout = a.at<float>(run, kDo, i),
               k.lse = a.at<float>(run, kLse, i);
               k.dweights = weighted ? a.at<float>(run, kDweights, i) : nullptr;
               k.dq = dq >= 0 ? a.at<float>(run, kDq, i) : nullptr;
               k.dk = dk >= 0 ? a.at<float>(run, kDk, i) : nullptr;
               k.dv = dv >= 0 ? a.at<float>(run, kDv, i) : nullptr;
               k.dva = dva >= 0 ? run.at<float>(dva_at) : nullptr;
               k.accumulate_dva = i > 0;
               k.workspace = run(workspace);
               kernels::additive_attention_grad(k);
             }
           });
  if (dbias >= 0) emit_sum_to(e, ds, s.with_queries(e.out(dbias)));
}

}  // namespace weft::onednn
