// ir/ops/loss.cpp -- inference of softmax cross-entropy and its adjoint, and what they mean.
#include "ir/ops/loss.h"

#include "ir/builder.h"

#include <cmath>

namespace weft::ir::ops {
namespace {

TensorType check_rows(const OpView& op, const std::string& label) {
  const TensorType &logits = op.operand("logits"), &labels = op.operand("labels");
  if (logits.rank() < 1 || !is_float(logits.dtype))
    op.fail(label + ".1", "needs float logits [...,V], found ", logits);
  TensorType row = logits;
  row.shape.pop_back();
  if (!is_integer(labels.dtype) || labels.shape != row.shape)
    op.fail(label + ".2", "needs integer labels ", str(row.shape), ", found ", labels);
  if (op.has("weights") && op.operand("weights") != row)
    op.fail(label + ".3", "needs weights ", row, ", found ", op.operand("weights"));
  if (op.real("smoothing") < 0 || op.real("smoothing") > 1)
    op.fail(label + ".4", "smoothing must lie in [0, 1], found ", op.real("smoothing"));
  return row;
}

struct Rows {
  Value alive;   // pred[...]: weight is not 0; none without weights
  Value labels;  // 0 where not alive
  Value logits;  // 0 where not alive
};

Rows alive_rows(Expansion& e, const OpView& op) {
  Builder& b = e.builder;
  Rows r{{}, e["labels"], e["logits"]};
  if (!op.has("weights")) return r;
  const Value w = e["weights"];
  r.alive = b.emit(not_equal, {{w}, {b.scalar(0, b.type(w).dtype)}});
  r.labels = b.select(r.alive, r.labels, b.scalar(0, b.type(r.labels).dtype));
  Shape column = b.type(w).shape;
  column.emplace_back(1);
  r.logits = b.select(b.reshape(r.alive, column), r.logits, b.scalar(0, b.type(r.logits).dtype));
  return r;
}

}  // namespace

Types infer_softmax_cross_entropy(const OpView& op) {
  const TensorType row = check_rows(op, "softmax_cross_entropy");
  return {row, row};
}

Types infer_softmax_cross_entropy_grad(const OpView& op) {
  const TensorType row = check_rows(op, "softmax_cross_entropy_grad");
  if (op.operand("dloss") != row || op.operand("lse") != row)
    op.fail("softmax_cross_entropy_grad.5", "needs dloss and lse of ", row, ", found ",
            op.operand("dloss"), " and ", op.operand("lse"));
  return {op.operand("logits")};
}

Graph expand_softmax_cross_entropy(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const Rows rows = alive_rows(e, op);
  const TensorType& row = op.result(0);
  const int64_t rank = row.rank();
  const double eps = op.real("smoothing");
  const Value logp = b.log_softmax(rows.logits);
  // lse = logits[0] - logp[0], whichever element is finite; the label's is what the loss needs.
  const auto picked = [&](Value x) {
    return b.emit(gather, {{x}, {rows.labels}}, {{"axis", rank}, {"batch", rank}});
  };
  const Value nll = b.neg(picked(logp));
  const Value top = b.max(rows.logits, {-1}, true);
  const Value lse =
      b.reshape(b.add(top, b.log(b.sum(b.exp(b.sub(rows.logits, top)), {-1}, true))), row.shape);
  Value loss = nll;
  if (eps != 0) {
    const Value uniform = b.neg(b.emit(mean, {{logp}}, {{"axes", Integers{-1}}}));
    loss =
        b.add(b.mul(nll, b.scalar(1 - eps, row.dtype)), b.mul(uniform, b.scalar(eps, row.dtype)));
  }
  if (op.has("weights")) loss = b.mul(loss, e["weights"]);
  return e.finish({loss, lse});
}

// dlogits = dloss * weights * (softmax(logits) - (1 - eps) * onehot(label) - eps / V)
Graph expand_softmax_cross_entropy_grad(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const Rows rows = alive_rows(e, op);
  const TensorType& logits = op.operand("logits");
  const double eps = op.real("smoothing");
  const auto real = [&](double x) { return b.scalar(x, logits.dtype); };
  const Value target =
      b.emit(one_hot, {{rows.labels}}, {{"size", logits.dim(-1)}, {"dtype", logits.dtype}});
  Value d = b.sub(b.softmax(rows.logits), eps == 0 ? target : b.mul(target, real(1 - eps)));
  if (eps != 0)
    d = b.sub(d, b.div(real(eps),
                       b.emit(dim_size, {{e["logits"]}}, {{"axis", -1}, {"dtype", logits.dtype}})));
  Value scale = e["dloss"];
  if (op.has("weights")) scale = b.mul(scale, e["weights"]);
  Shape column = b.type(scale).shape;
  column.emplace_back(1);
  d = b.mul(d, b.reshape(scale, column));
  if (rows.alive.valid()) d = b.select(b.reshape(rows.alive, column), d, real(0));
  return e.finish({d});
}

}  // namespace weft::ir::ops
