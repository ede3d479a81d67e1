// backends/onednn/lower/attention.cpp -- attention and its adjoint.
//
// additive: kernels of our own, no [...,Tq,S,D] temporary. dot: products by oneDNN around our
// masked softmax, the weights [...,Tq,S] in the workspace. NaN in values that nobody may look at
// would survive a weight of 0 in a product: where one shows in the output, it is done again with
// those values taken as 0.
#include "ir/ops/attention.h"

#include "backends/onednn/kernels/additive_attention.h"
#include "backends/onednn/kernels/dot_attention.h"
#include "backends/onednn/kernels/elementwise.h"
#include "backends/onednn/lower/copy.h"
#include "backends/onednn/lower/ops.h"
#include "ir/check.h"

#include <algorithm>
#include <cmath>

namespace weft::onednn {
namespace {

constexpr ir::DType kFloat = ir::DType::f32;

bool additive(const ir::OpView& op) { return op.text("score") == "additive"; }
bool single_query(const ir::OpView& op) {
  return op.operand("q").rank() + 1 == op.operand("k").rank();
}

// All operands with a query axis; scores are [leading..., queries, keys].
struct Shapes {
  bool single;
  Dims leading;
  int64_t batch = 1, queries, keys, hidden, width;  // batch: product of leading
  Dims scores;

  explicit Shapes(const Emit& e) : single(single_query(e.op)) {
    const Tensor& k = e.in("k");
    leading.assign(k.dims.begin(), k.dims.end() - 2);
    for (const int64_t d : leading) batch *= d;
    keys = k.dim(-2);
    hidden = k.dim(-1);
    width = e.in("v").dim(-1);
    queries = single ? 1 : e.in("q").dim(-2);
    scores = leading;
    scores.push_back(queries);
    scores.push_back(keys);
  }

  // Adds the query axis that a single query leaves out, before the last axis.
  Tensor with_queries(const Tensor& t) const {
    return single && t.rank() > 0 ? with_axis(t, t.rank() - 1, 1, t.dim(-1)) : t;
  }
  Tensor on_scores(const Tensor& t) const { return broadcast_to(with_queries(t), scores); }
  Tensor of_lse(const Tensor& t) const { return single ? with_axis(t, t.rank(), 1, 1) : t; }
};

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

  Batches(const Shapes& s, std::vector<Tensor> all) : tensors(std::move(all)) {
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

bool has_nan(const float* x, int64_t n) {
  bool nan = false;
  for (int64_t i = 0; i < n; ++i) nan |= std::isnan(x[i]);
  return nan;
}

// --- additive

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

Additive batched(const Shapes& s, const std::vector<Tensor>& all) {
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

void lower_additive(Emit& e) {
  const Shapes s(e);
  const Tensor o = s.with_queries(e.out(0));
  const bool masked = e.has("mask"), weighted = e.op.flag("weights"), summed = e.op.flag("lse");
  enum { kQ, kK, kV, kO, kMask, kWeights, kLse };
  const Tensor mask = masked ? s.on_scores(e.in("mask")) : o;
  const Tensor weights = weighted ? s.with_queries(e.out(1)) : o;
  const Tensor lse = summed ? with_axis(s.of_lse(e.out(weighted ? 2 : 1)),
                                        static_cast<int>(s.leading.size()) + 1, 1, 1)
                            : o;
  const Additive a =
      batched(s, {s.with_queries(e.in("q")), e.in("k"), e.in("v"), o, mask, weights, lse});
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
                                  .scale = static_cast<float>(e.op.real("scale")),
                                  .out_batch = a.batch(kO),
                                  .out_row = a.row(kO)};
  if (masked) args.mask = mask_of(a, kMask);
  float present = 0;
  args.weights = weighted ? &present : nullptr;
  args.lse = summed ? &present : nullptr;
  args.weights_batch = a.batch(kWeights), args.weights_row = a.row(kWeights);
  args.lse_batch = a.batch(kLse),
  args.lse_row = summed ? lse.stride(static_cast<int>(s.leading.size())) : 1;
  const Ref workspace =
      e.workspace(static_cast<int64_t>(kernels::additive_attention_workspace_bytes(args)));
  const Ref va = e.in("v_a").at;
  e.kernel("additive_attention", 0, [=](const Run& run) {
    kernels::AdditiveAttention k = args;
    for (int64_t i = 0; i < a.walk.count(); ++i) {
      k.q = a.at<float>(run, kQ, i), k.k = a.at<float>(run, kK, i), k.v = a.at<float>(run, kV, i),
      k.va = run.at<float>(va);
      k.mask.allowed = masked ? a.at<uint8_t>(run, kMask, i) : nullptr;
      k.out = a.at<float>(run, kO, i);
      k.weights = weighted ? a.at<float>(run, kWeights, i) : nullptr;
      k.lse = summed ? a.at<float>(run, kLse, i) : nullptr;
      k.workspace = run(workspace);
      kernels::additive_attention(k);
    }
  });
}

int wanted_index(const ir::OpView& op, std::string_view name) {
  const ir::Texts& wanted = op.texts("wanted");
  const auto found = std::find(wanted.begin(), wanted.end(), name);
  return found == wanted.end() ? -1 : static_cast<int>(found - wanted.begin());
}

void lower_additive_grad(Emit& e) {
  const Shapes s(e);
  enum { kQ, kK, kV, kO, kDo, kMask, kDweights, kLse, kDq, kDk, kDv };
  const Tensor q = s.with_queries(e.in("q")), lse = s.of_lse(e.in("lse"));
  const bool masked = e.has("mask"), weighted = e.has("dweights");
  const int dq = wanted_index(e.op, "q"), dk = wanted_index(e.op, "k"),
            dv = wanted_index(e.op, "v"), dva = wanted_index(e.op, "v_a");
  const Additive a = batched(
      s, {q, e.in("k"), e.in("v"), s.with_queries(e.in("o")), s.with_queries(e.in("do")),
          masked ? s.on_scores(e.in("mask")) : q, weighted ? s.with_queries(e.in("dweights")) : q,
          with_axis(lse, lse.rank(), 1, 1), dq >= 0 ? s.with_queries(e.out(dq)) : q,
          dk >= 0 ? e.out(dk) : e.in("k"), dv >= 0 ? e.out(dv) : e.in("v")});
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
  float present = 0;
  args.dweights = weighted ? &present : nullptr;
  args.dq = dq >= 0 ? &present : nullptr, args.dk = dk >= 0 ? &present : nullptr;
  args.dv = dv >= 0 ? &present : nullptr, args.dva = dva >= 0 ? &present : nullptr;
  const Ref workspace =
      e.workspace(static_cast<int64_t>(kernels::additive_attention_grad_workspace_bytes(args)));
  const Ref va = e.in("v_a").at, dva_at = dva >= 0 ? e.out(dva).at : va;
  if (s.batch == 0 && dva >= 0) emit_fill(e, e.out(dva), 0);
  e.kernel("additive_attention_grad", 0, [=](const Run& run) {
    kernels::AdditiveAttentionGrad k = args;
    for (int64_t i = 0; i < a.walk.count(); ++i) {
      k.q = a.at<float>(run, kQ, i), k.k = a.at<float>(run, kK, i), k.v = a.at<float>(run, kV, i),
      k.va = run.at<float>(va);
      k.mask.allowed = masked ? a.at<uint8_t>(run, kMask, i) : nullptr;
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
}

// --- dot

// scores -> weights in place, and lse (or nothing).
void emit_weights(Emit& e, const Shapes& s, const Tensor& scores, const Tensor* lse) {
  enum { kScores, kMask, kBias };
  const bool masked = e.has("mask"), biased = e.has("bias");
  const Additive a = batched(s, {scores, masked ? s.on_scores(e.in("mask")) : scores,
                                 biased ? s.on_scores(e.in("bias")) : scores});
  kernels::AttentionSoftmax args{.batch = a.of(kScores).dim(-3),
                                 .queries = s.queries,
                                 .keys = s.keys,
                                 .scores_batch = a.batch(kScores),
                                 .scores_row = a.row(kScores),
                                 .scale = static_cast<float>(e.op.real("scale"))};
  if (masked) args.mask = mask_of(a, kMask);
  if (biased) args.bias = {.batch = a.batch(kBias), .row = a.row(kBias), .column = a.column(kBias)};
  const bool summed = lse != nullptr;
  const Ref lse_at = summed ? lse->at : scores.at;
  e.kernel("attention_softmax", 0, [=](const Run& run) {
    kernels::AttentionSoftmax k = args;
    for (int64_t i = 0; i < a.walk.count(); ++i) {
      k.scores = a.at<float>(run, kScores, i);
      k.mask.allowed = masked ? a.at<uint8_t>(run, kMask, i) : nullptr;
      k.bias.data = biased ? a.at<float>(run, kBias, i) : nullptr;
      k.lse = summed ? run.at<float>(lse_at) + i * args.batch * s.queries : nullptr;
      kernels::attention_softmax(k);
    }
  });
}

// Does the mask hide keys from all queries alike? Then [leading..., keys] of it.
std::optional<Tensor> key_mask(const Emit& e, const Shapes& s) {
  if (!e.has("mask")) return std::nullopt;
  const Tensor& mask = e.in("mask");
  const Tensor m = s.with_queries(mask);
  if (m.rank() == 0 || (m.rank() >= 2 && m.dim(-2) != 1)) return std::nullopt;
  return without_axis(s.on_scores(mask), static_cast<int>(s.leading.size()));
}

// Runs the kernels that `emit` adds for `v` again with hidden values as 0, if `result` has a NaN.
template <typename EmitProduct>
void emit_unless_nan(Emit& e, const Shapes& s, const Tensor& v, const Tensor& result,
                     const EmitProduct& emit) {
  emit(v);
  const auto mask = key_mask(e, s);
  if (!mask) return;
  const Tensor clean = e.temporary(kFloat, v.dims);
  const auto again = std::make_shared<Program>();
  e.divert(*again, [&] { emit(clean); });
  e.kernel("attention, NaN behind the mask", 0, [=, mask = *mask](const Run& run) {
    if (!has_nan(run.at<float>(result.at), result.span_bytes() / 4)) return;
    Tensor row = v;
    row.dims = {v.dim(-1)}, row.strides = {v.stride(-1)};
    const int64_t rows = mask.size();
    for (int64_t i = 0; i < rows; ++i) {
      int64_t rest = i, from = 0, allowed = 0;
      for (int axis = mask.rank() - 1; axis >= 0; rest /= mask.dim(axis--)) {
        from += rest % mask.dim(axis) * v.stride(axis);
        allowed += rest % mask.dim(axis) * mask.stride(axis);
      }
      float* to = run.at<float>(clean.at) + i * v.dim(-1);
      const float* x = run.at<float>(v.at) + from;
      const bool seen = run.at<uint8_t>(mask.at)[allowed] != 0;
      for (int64_t c = 0; c < v.dim(-1); ++c) to[c] = seen ? x[c * v.stride(-1)] : 0.0F;
    }
    for (const Kernel& k : again->kernels) k.run(run);
  });
}

void lower_dot(Emit& e) {
  const Shapes s(e);
  const Tensor q = s.with_queries(e.in("q")), o = s.with_queries(e.out(0));
  const bool weighted = e.op.flag("weights"), summed = e.op.flag("lse");
  const Tensor weights = weighted ? s.with_queries(e.out(1)) : e.temporary(kFloat, s.scores);
  emit_matmul(e, q, transposed(e.in("k")), weights);
  const Tensor* lse = summed ? &e.out(weighted ? 2 : 1) : nullptr;
  if (weights.size() > 0 || summed) emit_weights(e, s, weights, lse);
  emit_unless_nan(e, s, e.in("v"), o, [&](const Tensor& v) { emit_matmul(e, weights, v, o); });
}

// y *= by
void emit_scale(Emit& e, const Tensor& y, double by) {
  const int64_t n = y.size();
  e.kernel("scale", 0, [=, at = y.at, f = static_cast<float>(by)](const Run& run) {
    float* x = run.at<float>(at);
    for (int64_t i = 0; i < n; ++i) x[i] *= f;
  });
}

// to = x summed over the axes along which `to` was broadcast; few elements, in double.
void emit_sum_to(Emit& e, const Tensor& x, const Tensor& to) {
  const Tensor target = broadcast_to(to, x.dims);
  emit_fill(e, to, 0);
  e.kernel("sum, plain", 0, [=](const Run& run) {
    for (int64_t i = 0; i < x.size(); ++i) {
      int64_t rest = i, at = 0;
      for (int axis = x.rank() - 1; axis >= 0; rest /= x.dim(axis--))
        at += rest % x.dim(axis) * target.stride(axis);
      run.at<float>(to.at)[at] += run.at<float>(x.at)[i];
    }
  });
}

void lower_dot_grad(Emit& e) {
  const Shapes s(e);
  const Tensor q = s.with_queries(e.in("q")), k = e.in("k"), d_o = s.with_queries(e.in("do"));
  const Tensor weights = e.temporary(kFloat, s.scores), ds = e.temporary(kFloat, s.scores);
  const int dq = wanted_index(e.op, "q"), dk = wanted_index(e.op, "k"),
            dv = wanted_index(e.op, "v"), dbias = wanted_index(e.op, "bias");
  const double scale = e.op.real("scale");
  emit_matmul(e, q, transposed(k), weights);
  emit_weights(e, s, weights, nullptr);
  if (dv >= 0) emit_matmul(e, transposed(weights), d_o, e.out(dv));
  if (dq < 0 && dk < 0 && dbias < 0) return;
  // A weight of 0 hides its da in the kernel below, NaN included.
  const bool weighted = e.has("dweights");
  if (weighted) emit_copy(e, s.with_queries(e.in("dweights")), ds);
  emit_matmul(e, d_o, transposed(e.in("v")), ds, {.accumulate = weighted});
  const kernels::AttentionSoftmaxGrad args{.batch = s.batch,
                                           .queries = s.queries,
                                           .keys = s.keys,
                                           .weights_batch = s.queries * s.keys,
                                           .weights_row = s.keys,
                                           .da_batch = s.queries * s.keys,
                                           .da_row = s.keys,
                                           .scale = dbias >= 0 ? 1.0F : static_cast<float>(scale)};
  e.kernel("attention_softmax_grad", 0, [=](const Run& run) {
    kernels::AttentionSoftmaxGrad grad = args;
    grad.weights = run.at<float>(weights.at);
    grad.da = run.at<float>(ds.at);
    kernels::attention_softmax_grad(grad);
  });
  if (dbias >= 0) {
    emit_sum_to(e, ds, s.with_queries(e.out(dbias)));
    if (scale != 1.0) emit_scale(e, ds, scale);
  }
  if (dq >= 0) emit_matmul(e, ds, k, s.with_queries(e.out(dq)));
  if (dk >= 0) emit_matmul(e, transposed(ds), q, e.out(dk));
}

}  // namespace

Layout attention_operand(const ir::OpView& op, int operand) {
  for (const std::string_view name : {"mask", "bias"})
    if (op.has(name) && operand == op.position(name)) return Layout::any;
  for (const std::string_view name : {"q", "k", "v"})
    if (operand == op.position(name)) return Layout::inner;
  return Layout::dense;
}

bool attention_serves(const ir::OpView& op) { return !(additive(op) && op.has("bias")); }

void lower_attention(Emit& e) {
  e.needs_arithmetic(e.in("q").dtype);
  additive(e.op) ? lower_additive(e) : lower_dot(e);
}

void lower_attention_grad(Emit& e) {
  e.needs_arithmetic(e.in("q").dtype);
  additive(e.op) ? lower_additive_grad(e) : lower_dot_grad(e);
}

}  // namespace weft::onednn
