// ir/ops/norm.cpp -- inference of layer norm and RMS norm and their adjoints, and what they mean.
#include "ir/ops/norm.h"

#include "ir/rewrite/builder.h"

namespace weft::ir::ops {
namespace {

// With a mean taken off first?
bool centred(const OpView& op) { return &op.def() == &layer_norm || &op.def() == &layer_norm_grad; }

bool takes(const OpView& op, std::string_view name) {
  return op.def().operand_index(name) >= 0 && op.has(name);
}

// The type of mean and rstd.
TensorType check_common(const OpView& op) {
  const std::string label(op.def().name);
  const TensorType& x = op.operand("x");
  if (x.rank() < 1 || !is_float(x.dtype)) op.fail(label + ".1", "needs float x [...,D], found ", x);
  if (x.dim(-1).is(0)) op.fail(label + ".2", "cannot normalise rows of no elements");
  const TensorType vector{x.dtype, {x.dim(-1)}};
  for (const std::string_view name : {"scale", "shift"})
    if (takes(op, name) && op.operand(name) != vector)
      op.fail(label + ".3", "needs ", name, " of ", vector, ", found ", op.operand(name));
  if (!(op.real("eps") > 0)) op.fail(label + ".4", "eps must be positive, found ", op.real("eps"));
  TensorType row = x;
  row.shape.pop_back();
  return row;
}

// x normalised, with what that took.
struct Normalised {
  Value x, mean, rstd;  // T[...,D], T[...,1], T[...,1]; the mean of layer norm only
};

Normalised normalised(Builder& b, const OpView& op, Value x) {
  const auto mean_of = [&](Value v) {
    return b.emit(mean, {{v}}, {{"axes", Integers{-1}}, {"keep", true}});
  };
  Normalised n;
  Value c = x;
  if (centred(op)) {
    n.mean = mean_of(x);
    c = b.sub(x, n.mean);
  }
  const Value variance = mean_of(b.mul(c, c));
  n.rstd = b.emit(rsqrt, {{b.add(variance, b.scalar(op.real("eps"), b.type(x).dtype))}});
  n.x = b.mul(c, n.rstd);
  return n;
}

}  // namespace

Types infer_norm(const OpView& op) {
  const TensorType row = check_common(op);
  Types types{op.operand("x")};
  if (op.flag("rounded") && types[0].dtype != DType::f32)
    op.fail(std::string(op.def().name) + ".9", "rounds norms of f32 to bf16, found ",
            name(types[0].dtype));
  if (op.flag("rounded")) types[0].dtype = DType::bf16;
  if (op.flag("statistics")) types.insert(types.end(), centred(op) ? 2 : 1, row);
  return types;
}

Types infer_norm_grad(const OpView& op) {
  const TensorType row = check_common(op);
  const std::string label(op.def().name);
  if (op.operand("dy") != op.operand("x"))
    op.fail(label + ".5", "needs dy of ", op.operand("x"), ", found ", op.operand("dy"));
  for (const std::string_view name : {"mean", "rstd"})
    if (takes(op, name) && op.operand(name) != row)
      op.fail(label + ".6", "needs ", name, " of ", row, ", found ", op.operand(name));
  Types types;
  for (const std::string& w : op.texts("wanted")) {
    if (w != "x" && w != "scale" && w != "shift")
      op.fail(label + ".7", "has no adjoint of '", w, "'");
    if (!takes(op, w)) op.fail(label + ".8", "cannot give the adjoint of an absent ", w);
    types.push_back(op.operand(w));
  }
  return types;
}

Graph expand_norm(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const Normalised n = normalised(b, op, e["x"]);
  Value y = n.x;
  if (op.has("scale")) y = b.mul(y, e["scale"]);
  if (takes(op, "shift")) y = b.add(y, e["shift"]);
  Values results{op.flag("rounded") ? b.cast(y, DType::bf16) : y};
  if (op.flag("statistics")) {
    if (n.mean.valid()) results.push_back(b.reshape(n.mean, op.result(1).shape));
    results.push_back(b.reshape(n.rstd, op.result(1).shape));
  }
  return e.finish(results);
}

// With n = (x - mean) * rstd and g = dy * scale:
//   dx = rstd * (g - n * mean(g * n) - mean(g)),  dscale = sum dy * n,  dshift = sum dy
// (the last mean in layer norm only). Mean and rstd are what a kernel uses; here they are computed
// again, so that they carry no meaning of their own.
Graph expand_norm_grad(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const Normalised n = normalised(b, op, e["x"]);
  const Value dy = e["dy"];
  const auto mean_of = [&](Value v) {
    return b.emit(mean, {{v}}, {{"axes", Integers{-1}}, {"keep", true}});
  };
  Values results;
  for (const std::string& w : op.texts("wanted")) {
    if (w == "x") {
      const Value g = op.has("scale") ? b.mul(dy, e["scale"]) : dy;
      Value d = b.sub(g, b.mul(n.x, mean_of(b.mul(g, n.x))));
      if (centred(op)) d = b.sub(d, mean_of(g));
      results.push_back(b.mul(d, n.rstd));
    } else {
      results.push_back(b.sum_to(w == "scale" ? b.mul(dy, n.x) : dy, op.operand(w).shape));
    }
  }
  return e.finish(results);
}

}  // namespace weft::ir::ops
