// backends/onednn/lower/dot_attention.cpp -- dot-product attention and its adjoint.
#include "backends/onednn/kernels/dot_attention.h"

#include "backends/onednn/lower/attention_operands.h"

namespace weft::onednn {
namespace {

// How the kernel sees tensors [leading..., rows, columns]: the first leading axis is its batch, the
// last its heads, those between are walked.
class Cut {
 public:
  explicit Cut(const AttentionSizes& s) : lead_(s.leading) {
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
  AttentionSizes s;
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

}  // namespace

void lower_dot(Emit& e) {
  const Dot d(e);
  const AttentionSizes& s = d.s;
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
  const AttentionSizes& s = d.s;
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

}  // namespace weft::onednn
