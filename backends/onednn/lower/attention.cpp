// backends/onednn/lower/attention.cpp -- attention and its adjoint.
//
// Kernels of our own: nothing of [...,Tq,S] (dot) or [...,Tq,S,D] (additive) is ever stored.
#include "ir/ops/attention.h"

#include "backends/onednn/kernels/additive_attention.h"
#include "backends/onednn/kernels/dot_attention.h"
#include "backends/onednn/lower/ops.h"
#include "ir/check.h"

#include <algorithm>
#include <cmath>
#include <optional>

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

// Dropout as the kernels take it; pointers and step are set when it runs.
struct Drawn {
  kernels::WeightDropout args;
  Tensor step, rows, position;
  Tensor counted;  // dropout's elements, as strides over the scores

  Drawn(const Emit& e, const Shapes& s) {
    const double keep = e.op.real("keep");
    if (keep == 1.0 || s.batch == 0) return;
    // As `random` decides: a word below keep * 2^32 keeps.
    args = {
        .on = true,
        .threshold = static_cast<uint32_t>(std::min(std::ceil(keep * 4294967296.0), 4294967295.0)),
        .factor = static_cast<float>(1 / keep),
        .stream = static_cast<uint64_t>(e.op.integer("stream"))};
    step = e.in("step"), rows = e.in("rows");
    if (e.has("position")) position = e.in("position");
    counted = {kFloat, s.scores, Dims(s.scores.size(), 0), {}};
    const ir::Integers& axes = e.op.integers("inner_axes");
    int64_t stride = 1;
    for (size_t i = axes.size(); i-- > 0;) {
      const int64_t axis = s.single && axes[i] < -1 ? axes[i] - 1 : axes[i];
      const size_t at = static_cast<size_t>(static_cast<int64_t>(s.scores.size()) + axis);
      counted.strides[at] = stride;
      stride *= s.scores[at];
    }
    args.row = counted.stride(-2), args.column = counted.stride(-1);
  }
  void set(const Run& run, kernels::WeightDropout& to) const {
    if (!args.on) return;
    to.step = integer_at(run, step);
    to.row_id = run.at<int64_t>(rows.at);
    if (position.at.base < 0) return;
    to.position = run.at<int32_t>(position.at);
    to.position_row = position.rank();
  }
};

int64_t diagonal_of(const Emit& e) { return e.op.flag("causal") ? 0 : kernels::kNoDiagonal; }

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

// The kernel's batch where it is the bound's rows; else all rows are computed, which does no harm.
std::optional<RowBound> bound_of(const Emit& e, int64_t walked, int64_t batch) {
  const auto rows = e.bound();
  return rows && walked == 1 && batch == rows->rows ? rows : std::nullopt;
}

kernels::Mask mask_of(const Additive& a, int slot) {
  return {.batch = a.batch(slot), .row = a.row(slot), .column = a.column(slot)};
}

kernels::Bias bias_of(const Additive& a, int slot) {
  return {.batch = a.batch(slot), .row = a.row(slot), .column = a.column(slot)};
}

void lower_additive(Emit& e) {
  const Shapes s(e);
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

int wanted_index(const ir::OpView& op, std::string_view name) {
  const ir::Texts& wanted = op.texts("wanted");
  const auto found = std::find(wanted.begin(), wanted.end(), name);
  return found == wanted.end() ? -1 : static_cast<int>(found - wanted.begin());
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

void lower_additive_grad(Emit& e) {
  const Shapes s(e);
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

// --- dot

// How the kernel sees tensors [leading..., rows, columns]: the first leading axis is its batch, the
// last its heads, those between are walked.
class Cut {
 public:
  explicit Cut(const Shapes& s) : lead_(s.leading) {
    for (int axis = 1; axis + 1 < rank(); ++axis) walked_ *= s.leading[static_cast<size_t>(axis)];
  }
  int64_t batch() const { return rank() > 0 ? lead_.front() : 1; }
  int64_t heads() const { return rank() > 1 ? lead_.back() : 1; }
  int64_t walked() const { return walked_; }

  // Strides along batch, head, rows and columns; what `to` shall point to when it runs.
  struct Place {
    Tensor t;
    int64_t batch = 0, head = 0, row = 0, column = 1;
    bool present = false;
  };
  Place operator()(const Tensor& t) const {
    Place p{t, 0, 0, t.stride(rank()), t.rank() > rank() + 1 ? t.stride(rank() + 1) : 1, true};
    if (rank() > 0) p.batch = t.stride(0);
    if (rank() > 1) p.head = t.stride(rank() - 1);
    return p;
  }
  // Elements from the start of step i of the walk.
  int64_t offset(const Tensor& t, int64_t i) const {
    int64_t at = 0;
    for (int axis = rank() - 2; axis >= 1; i /= lead_[static_cast<size_t>(axis--)])
      at += i % lead_[static_cast<size_t>(axis)] * t.stride(axis);
    return at;
  }
  template <typename T>
  T* at(const Run& run, const Place& p, int64_t i) const {
    return p.present ? run.at<T>(p.t.at) + offset(p.t, i) : nullptr;
  }
  template <typename T>
  kernels::Heads<T> heads(const Run& run, const Place& p, int64_t i) const {
    return {at<T>(run, p, i), p.batch, p.head, p.row};
  }

 private:
  int rank() const { return static_cast<int>(lead_.size()); }
  Dims lead_;
  int64_t walked_ = 1;
};

// What attention and its adjoint read alike.
struct Dot {
  Shapes s;
  Cut cut;
  Cut::Place q, k, v, mask, bias;
  int64_t diagonal;
  float scale;
  Drawn drawn;

  explicit Dot(const Emit& e)
      : s(e),
        cut(s),
        q(cut(s.with_queries(e.in("q")))),
        k(cut(e.in("k"))),
        v(cut(e.in("v"))),
        diagonal(diagonal_of(e)),
        scale(static_cast<float>(e.op.real("scale"))),
        drawn(e, s) {
    if (e.has("mask")) mask = cut(s.on_scores(e.in("mask")));
    if (e.has("bias")) bias = cut(s.on_scores(e.in("bias")));
    if (!drawn.args.on) return;
    const Cut::Place counted = cut(drawn.counted);
    drawn.args.head = counted.head;
  }

  double flops(int products) const {
    return 2.0 * products / 2 * static_cast<double>(s.batch * s.queries * s.keys) *
           static_cast<double>(s.hidden + s.width);
  }
  template <typename Args>
  void sizes(Args& args) const {
    args.batch = cut.batch(), args.heads = cut.heads(), args.queries = s.queries,
    args.keys = s.keys, args.hidden = s.hidden, args.width = s.width, args.diagonal = diagonal,
    args.scale = scale, args.dropout = drawn.args;
  }
  template <typename Args>
  void set(const Run& run, int64_t i, Args& args) const {
    args.q = cut.heads<const float>(run, q, i), args.k = cut.heads<const float>(run, k, i),
    args.v = cut.heads<const float>(run, v, i);
    args.mask = {cut.at<uint8_t>(run, mask, i), mask.batch, mask.head, mask.row, mask.column};
    args.bias = {cut.at<float>(run, bias, i), bias.batch, bias.head, bias.row, bias.column};
    if (!drawn.args.on) return;
    drawn.set(run, args.dropout);
    args.dropout.element = cut.offset(drawn.counted, i);
  }
};

void lower_dot(Emit& e) {
  const Dot d(e);
  const Shapes& s = d.s;
  const Cut::Place o = d.cut(s.with_queries(e.out(0)));
  Cut::Place weights, lse;
  if (e.op.flag("weights")) weights = d.cut(s.with_queries(e.out(1)));
  if (e.op.flag("lse")) lse = d.cut(s.of_lse(e.out(e.op.flag("weights") ? 2 : 1)));
  kernels::DotAttention args;
  d.sizes(args);
  const Ref workspace =
      e.workspace(static_cast<int64_t>(kernels::dot_attention_workspace_bytes(args)));
  e.kernel("dot_attention", d.flops(2),
           [=, rows = bound_of(e, d.cut.walked(), args.batch)](const Run& run) {
             kernels::DotAttention a = args;
             if (rows) a.batch = (*rows)(run);
             a.workspace = run(workspace);
             for (int64_t i = 0; i < d.cut.walked(); ++i) {
               d.set(run, i, a);
               a.out = d.cut.heads<float>(run, o, i);
               a.weights = d.cut.heads<float>(run, weights, i);
               a.lse = d.cut.heads<float>(run, lse, i);
               kernels::dot_attention(a);
             }
           });
}

void lower_dot_grad(Emit& e) {
  const Dot d(e);
  const Shapes& s = d.s;
  const Cut::Place o = d.cut(s.with_queries(e.in("o"))), g = d.cut(s.with_queries(e.in("do"))),
                   lse = d.cut(s.of_lse(e.in("lse")));
  Cut::Place dweights, dq, dk, dv, dbias;
  if (e.has("dweights")) dweights = d.cut(s.with_queries(e.in("dweights")));
  const auto wanted = [&](std::string_view name) -> const Tensor* {
    const int i = wanted_index(e.op, name);
    return i < 0 ? nullptr : &e.out(i);
  };
  if (const Tensor* t = wanted("q")) dq = d.cut(s.with_queries(*t));
  if (const Tensor* t = wanted("k")) dk = d.cut(*t);
  if (const Tensor* t = wanted("v")) dv = d.cut(*t);
  kernels::DotAttentionGrad args;
  if (const Tensor* t = wanted("bias")) {
    emit_fill(e, *t, 0);
    dbias = d.cut(s.on_scores(*t));
    args.dbias = {nullptr, dbias.batch, dbias.head, dbias.row, dbias.column};
  }
  d.sizes(args);
  float present = 0;
  args.dq.data = dq.present ? &present : nullptr;
  args.dbias.data = dbias.present ? &present : nullptr;
  const Ref workspace =
      e.workspace(static_cast<int64_t>(kernels::dot_attention_grad_workspace_bytes(args)));
  e.kernel("dot_attention_grad", d.flops(5),
           [=, rows = bound_of(e, d.cut.walked(), args.batch)](const Run& run) {
             kernels::DotAttentionGrad a = args;
             if (rows) a.batch = (*rows)(run);
             a.workspace = run(workspace);
             for (int64_t i = 0; i < d.cut.walked(); ++i) {
               d.set(run, i, a);
               a.out = d.cut.heads<const float>(run, o, i),
               a.lse = d.cut.heads<const float>(run, lse, i);
               a.dout = d.cut.heads<const float>(run, g, i);
               a.dweights = d.cut.heads<const float>(run, dweights, i);
               a.dq = d.cut.heads<float>(run, dq, i), a.dk = d.cut.heads<float>(run, dk, i);
               a.dv = d.cut.heads<float>(run, dv, i);
               a.dbias.data = d.cut.at<float>(run, dbias, i);
               kernels::dot_attention_grad(a);
             }
           });
}

}  // namespace

Layout attention_operand(const ir::OpView& op, int operand) {
  for (const std::string_view name : {"mask", "bias"})
    if (op.has(name) && operand == op.position(name)) return Layout::any;
  for (const std::string_view name : {"v_a", "step", "rows", "position"})
    if (op.has(name) && operand == op.position(name)) return Layout::dense;
  return Layout::inner;
}

// Additive attention of several heads with dropout has no kernel.
bool attention_serves(const ir::OpView& op) {
  return !additive(op) || op.real("keep") == 1.0 || op.operand("k").rank() == 3;
}

void lower_attention(Emit& e) {
  e.needs_arithmetic(e.in("q").dtype);
  additive(e.op) ? lower_additive(e) : lower_dot(e);
}

void lower_attention_grad(Emit& e) {
  e.needs_arithmetic(e.in("q").dtype);
  additive(e.op) ? lower_additive_grad(e) : lower_dot_grad(e);
}

}  // namespace weft::onednn
