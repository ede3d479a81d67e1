// ir/ops/optimizer.cpp -- inference of the optimiser ops, and what they mean.
#include "ir/ops/optimizer.h"

#include "ir/rewrite/builder.h"

namespace weft::ir::ops {
namespace {

// p, g and two kinds of state, equally many, of equal types by position -> new p and states.
Types infer_update(const OpView& op, std::string_view state1, std::string_view state2) {
  const std::string label(op.def().name);
  const Types p = op.group("p");
  for (const std::string_view other : {std::string_view("g"), state1, state2}) {
    const Types x = op.group(other);
    if (x.size() != p.size())
      op.fail(label + ".1", "needs as many ", other, " as parameters, ", p.size(), ", found ",
              x.size());
    for (size_t i = 0; i < p.size(); ++i)
      if (x[i] != p[i] || !is_float(p[i].dtype))
        op.fail(label + ".2", "needs ", other, " ", i, " of ", p[i], ", found ", x[i]);
  }
  for (const std::string_view s : {"lr", "scale"})
    if (op.has(s) && (op.operand(s).rank() != 0 || !is_float(op.operand(s).dtype)))
      op.fail(label + ".3", "needs a float scalar ", s, ", found ", op.operand(s));
  Types types = p;
  for (int copy = 0; copy < 2; ++copy) types.insert(types.end(), p.begin(), p.end());
  return types;
}

}  // namespace

Types infer_squared_norm(const OpView& op) {
  DType dtype = DType::f32;
  for (int i = 0; i < op.operand_count(); ++i) {
    if (!is_float(op.operand(i).dtype))
      op.fail("squared_norm.1", "needs float operands, found ", op.operand(i));
    if (i > 0 && op.operand(i).dtype != dtype)
      op.fail("squared_norm.2", "needs operands of one dtype");
    dtype = op.operand(i).dtype;
  }
  return {{dtype, {}}};
}

Types infer_adam_update(const OpView& op) {
  if (!is_integer(op.operand("step").dtype) || op.operand("step").rank() != 0)
    op.fail("adam_update.4", "needs an integer scalar step, found ", op.operand("step"));
  return infer_update(op, "m", "v");
}

Types infer_adadelta_update(const OpView& op) { return infer_update(op, "a", "d"); }

Graph expand_squared_norm(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  Value total = b.scalar(0, op.result().dtype);
  for (const Value g : e.group("gradients")) total = b.add(total, b.sum_all(b.mul(g, g)));
  return e.finish({total});
}

Graph expand_adam_update(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const DType t = op.operand("lr").dtype;
  const auto real = [&](double x) { return b.scalar(x, t); };
  const double b1 = op.real("beta1"), b2 = op.real("beta2"), decay = op.real("decay");
  const Value step = b.cast(e["step"], t), lr = e["lr"];
  const Value correction1 = b.sub(real(1), b.emit(pow, {{real(b1)}, {step}}));
  const Value correction2 = b.sub(real(1), b.emit(pow, {{real(b2)}, {step}}));
  Values p1, m1, v1;
  for (int i = 0; i < op.count("p"); ++i) {
    Value p = e.group("p")[static_cast<size_t>(i)], g = e.group("g")[static_cast<size_t>(i)];
    if (op.has("scale")) g = b.mul(g, e["scale"]);
    if (decay != 0 && !op.flag("decoupled")) g = b.add(g, b.mul(p, real(decay)));
    if (decay != 0 && op.flag("decoupled")) p = b.sub(p, b.mul(p, b.mul(lr, real(decay))));
    const Value m =
        b.add(b.mul(e.group("m")[static_cast<size_t>(i)], real(b1)), b.mul(g, real(1 - b1)));
    const Value v = b.add(b.mul(e.group("v")[static_cast<size_t>(i)], real(b2)),
                          b.mul(b.mul(g, g), real(1 - b2)));
    const Value denominator = b.add(b.sqrt(b.div(v, correction2)), real(op.real("eps")));
    p1.push_back(b.sub(p, b.mul(lr, b.div(b.div(m, correction1), denominator))));
    m1.push_back(m);
    v1.push_back(v);
  }
  Values all = p1;
  all.insert(all.end(), m1.begin(), m1.end());
  all.insert(all.end(), v1.begin(), v1.end());
  return e.finish(all);
}

Graph expand_adadelta_update(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const DType t = op.operand("lr").dtype;
  const auto real = [&](double x) { return b.scalar(x, t); };
  const double rho = op.real("rho"), eps = op.real("eps");
  Values p1, a1, d1;
  for (int i = 0; i < op.count("p"); ++i) {
    const Value p = e.group("p")[static_cast<size_t>(i)],
                old_d = e.group("d")[static_cast<size_t>(i)];
    Value g = e.group("g")[static_cast<size_t>(i)];
    if (op.has("scale")) g = b.mul(g, e["scale"]);
    const Value a = b.add(b.mul(e.group("a")[static_cast<size_t>(i)], real(rho)),
                          b.mul(b.mul(g, g), real(1 - rho)));
    const Value u = b.mul(b.div(b.sqrt(b.add(old_d, real(eps))), b.sqrt(b.add(a, real(eps)))), g);
    const Value d = b.add(b.mul(old_d, real(rho)), b.mul(b.mul(u, u), real(1 - rho)));
    p1.push_back(b.sub(p, b.mul(e["lr"], u)));
    a1.push_back(a);
    d1.push_back(d);
  }
  Values all = p1;
  all.insert(all.end(), a1.begin(), a1.end());
  all.insert(all.end(), d1.begin(), d1.end());
  return e.finish(all);
}

}  // namespace weft::ir::ops
