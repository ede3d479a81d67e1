// ir/ops/loss.cpp -- inference of softmax cross-entropy and its adjoint, and what they mean.
#include "ir/ops/loss.h"

#include "ir/rewrite/builder.h"

#include <cmath>

namespace weft::ir::ops {
namespace {

TensorType check_rows(const OpView& op, const std::string& label, const TensorType& logits) {
  const TensorType& labels = op.operand("labels");
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
  Value known;   // pred[...]: the label is in range; none where it must be
  Value labels;  // 0 where not alive
  Value logits;  // 0 where not alive
};

Rows rows_of(Expansion& e, const OpView& op) {
  Builder& b = e.builder;
  Rows r{{}, {}, e["labels"], e["logits"]};
  const DType integer = b.type(r.labels).dtype;
  if (op.has("weights")) {
    const Value w = e["weights"];
    r.alive = b.emit(not_equal, {{w}, {b.scalar(0, b.type(w).dtype)}});
    r.labels = b.select(r.alive, r.labels, b.scalar(0, integer));
    Shape column = b.type(w).shape;
    column.emplace_back(1);
    r.logits = b.select(b.reshape(r.alive, column), r.logits, b.scalar(0, b.type(r.logits).dtype));
  }
  if (op.flag("skip_unknown")) {
    const Value label = b.cast(r.labels, DType::s64);
    const Value classes = b.emit(dim_size, {{r.logits}}, {{"axis", -1}, {"dtype", DType::s64}});
    r.known = b.emit(logical_and, {{b.emit(greater_equal, {{label}, {b.scalar(0, DType::s64)}})},
                                   {b.emit(less, {{label}, {classes}})}});
  }
  return r;
}

Value column_of(Builder& b, Value rows) {
  Shape column = b.type(rows).shape;
  column.emplace_back(1);
  return b.reshape(rows, column);
}

}  // namespace

Types infer_softmax_cross_entropy(const OpView& op) {
  const TensorType row = check_rows(op, "softmax_cross_entropy", op.operand("logits"));
  return {row, row};
}

Types infer_softmax_cross_entropy_grad(const OpView& op) {
  const TensorType row = check_rows(op, "softmax_cross_entropy_grad", op.operand("logits"));
  if (op.operand("dloss") != row || op.operand("lse") != row)
    op.fail("softmax_cross_entropy_grad.5", "needs dloss and lse of ", row, ", found ",
            op.operand("dloss"), " and ", op.operand("lse"));
  return {op.operand("logits")};
}

Types infer_linear_cross_entropy(const OpView& op) {
  const std::string label = "linear_cross_entropy";
  const TensorType &x = op.operand("x"), &w = op.operand("w");
  const int k = op.flag("transpose_b") ? 1 : 0;
  if (x.rank() < 1 || w.rank() != 2 || x.dtype != w.dtype || w.dim(k) != x.dim(-1))
    op.fail(label + ".5", "needs x [...,K] and w ", k == 0 ? "[K,V]" : "[V,K]", " alike, found ", x,
            " and ", w);
  TensorType logits{product_dtype(x.dtype), x.shape};
  logits.shape.back() = w.dim(1 - k);
  const TensorType row = check_rows(op, label, logits);
  if (op.operand("dloss") != row)
    op.fail(label + ".6", "needs dloss of ", row, ", found ", op.operand("dloss"));
  if (const TensorType bias{logits.dtype, {w.dim(1 - k)}};
      op.has("bias") && op.operand("bias") != bias)
    op.fail(label + ".7", "needs a bias ", bias, ", found ", op.operand("bias"));
  Types types{row};
  for (const std::string& name : op.texts("wanted")) {
    if (name != "x" && name != "w" && name != "bias")
      op.fail(label + ".8", "has no adjoint of '", name, "'");
    if (!op.has(name)) op.fail(label + ".9", "cannot give the adjoint of an absent ", name);
    types.push_back({logits.dtype, op.operand(name).shape});
  }
  return types;
}

Graph expand_softmax_cross_entropy(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const Rows rows = rows_of(e, op);
  const TensorType& row = op.result(0);
  const int64_t rank = row.rank();
  const double eps = op.real("smoothing");
  const Value logp = b.log_softmax(rows.logits), none = b.scalar(0, row.dtype);
  const Value labels =
      rows.known.valid() ? b.select(rows.known, rows.labels, b.scalar(0, b.type(rows.labels).dtype))
                         : rows.labels;
  Value nll = b.neg(b.emit(gather, {{logp}, {labels}}, {{"axis", rank}, {"batch", rank}}));
  if (rows.known.valid()) nll = b.select(rows.known, nll, none);
  // lse = top + log(sum(exp(logits - top))), -inf in a row that has nothing else.
  const Value top = b.max(rows.logits, {-1}, true);
  const Value shift = b.select(b.emit(is_finite, {{top}}), top, none);
  const Value lse = b.reshape(
      b.add(shift, b.log(b.sum(b.exp(b.sub(rows.logits, shift)), {-1}, true))), row.shape);
  Value loss = nll;
  if (eps != 0) {
    const Value uniform = b.neg(b.emit(mean, {{logp}}, {{"axes", Integers{-1}}}));
    loss =
        b.add(b.mul(nll, b.scalar(1 - eps, row.dtype)), b.mul(uniform, b.scalar(eps, row.dtype)));
  }
  if (op.has("weights")) loss = b.mul(loss, e["weights"]);
  return e.finish({loss, lse});
}

// dlogits = dloss * weights * (softmax(logits) - (1 - eps) * onehot(label) - eps / V); of an unknown
// label that is skipped dloss * weights * eps * (softmax(logits) - 1 / V); 0 in a row of -inf.
Graph expand_softmax_cross_entropy_grad(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const Rows rows = rows_of(e, op);
  const TensorType& logits = op.operand("logits");
  const double eps = op.real("smoothing");
  const auto real = [&](double x) { return b.scalar(x, logits.dtype); };
  Value scale = e["dloss"];
  if (op.has("weights")) scale = b.mul(scale, e["weights"]);
  const Value of_row = column_of(b, scale);
  Value p = b.softmax(rows.logits);
  if (rows.known.valid()) p = b.mul(p, b.select(column_of(b, rows.known), real(1), real(eps)));
  // Where the label is not, nothing is taken off: not 0 times an infinite dloss.
  const Value hot =
      b.emit(one_hot, {{rows.labels}}, {{"size", logits.dim(-1)}, {"dtype", logits.dtype}});
  Value d =
      b.sub(b.mul(p, of_row), b.select(b.emit(greater, {{hot}, {real(0)}}),
                                       eps == 0 ? of_row : b.mul(of_row, real(1 - eps)), real(0)));
  if (eps != 0) {
    const Value classes =
        b.emit(dim_size, {{e["logits"]}}, {{"axis", -1}, {"dtype", logits.dtype}});
    d = b.sub(d, b.div(b.mul(of_row, real(eps)), classes));
  }
  const Value empty = b.emit(equal, {{b.max(rows.logits, {-1}, true)}, {real(-HUGE_VAL)}});
  d = b.select(empty, real(0), d);
  if (rows.alive.valid()) d = b.select(column_of(b, rows.alive), d, real(0));
  return e.finish({d});
}

Graph expand_linear_cross_entropy(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const bool tb = op.flag("transpose_b");
  const Attrs attrs{{"smoothing", op.real("smoothing")}, {"skip_unknown", op.flag("skip_unknown")}};
  const auto optional = [&](std::string_view name) {
    return op.has(name) ? Values{e[name]} : Values{};
  };
  const DType multiplied = op.operand("x").dtype;
  const bool bf16 = multiplied == DType::bf16;
  const Value scores = b.emit(linear, {{e["x"]}, {e["w"]}, optional("bias")},
                              {{"transpose_b", tb}, {"rounded", bf16}});
  const Value logits = b.cast(scores, product_dtype(multiplied));
  const Values loss =
      b.emit_all(softmax_cross_entropy, {{logits}, {e["labels"]}, optional("weights")}, attrs);
  const Value exact =
      b.emit(softmax_cross_entropy_grad,
             {{e["dloss"]}, {logits}, {e["labels"]}, {loss[1]}, optional("weights")}, attrs);
  const Value dlogits = b.cast(exact, multiplied);
  Dim rows(1);
  for (const Dim& d : op.operand("labels").shape) rows = rows * d;
  const auto by_rows = [&](Value v) { return b.reshape(v, {rows, b.type(v).dim(-1)}); };
  Values results{loss[0]};
  for (const std::string& name : op.texts("wanted")) {
    if (name == "x") {
      results.push_back(b.emit(linear, {{dlogits}, {e["w"]}}, {{"transpose_b", !tb}}));
    } else if (name == "w") {
      const Value x = by_rows(e["x"]), d = by_rows(dlogits);
      results.push_back(tb ? b.matmul(d, x, true) : b.matmul(x, d, true));
    } else {
      const Value summed = b.cast(dlogits, product_dtype(multiplied));
      results.push_back(b.sum_to(summed, op.operand("bias").shape));
    }
  }
  return e.finish(results);
}

}  // namespace weft::ir::ops
