// ir/ops/optimizer.cpp -- inference of the optimiser ops, and what they mean.
#include "ir/ops/optimizer.h"

#include "ir/rewrite/builder.h"

#include <functional>

namespace weft::ir::ops {
namespace {

void check_count(const OpView& op, std::string_view group) {
  if (op.count(group) != op.count("p"))
    op.fail(std::string(op.def().name) + ".1", "needs as many ", group, " as parameters, ",
            op.count("p"), ", found ", op.count(group));
}

// As many as parameters, of their types.
void check_like_parameters(const OpView& op, std::string_view group) {
  check_count(op, group);
  const Types p = op.group("p"), x = op.group(group);
  for (size_t i = 0; i < p.size(); ++i)
    if (x[i] != p[i] || !is_float(p[i].dtype))
      op.fail(std::string(op.def().name) + ".2", "needs ", group, " ", i, " of ", p[i], ", found ",
              x[i]);
}

void check_scalars(const OpView& op, std::initializer_list<std::string_view> names) {
  for (const std::string_view s : names)
    if (op.has(s) && (op.operand(s).rank() != 0 || !is_float(op.operand(s).dtype)))
      op.fail(std::string(op.def().name) + ".3", "needs a float scalar ", s, ", found ",
              op.operand(s));
}

// Of all operands but the gradients: what an update gives.
void add_group(const OpView& op, std::string_view group, Types& types) {
  const Types more = op.group(group);
  types.insert(types.end(), more.begin(), more.end());
}

// The names of groups behind p and g.
std::vector<std::string_view> state_groups(const OpView& op) {
  std::vector<std::string_view> names;
  for (size_t i = 2; i < op.def().operands.size(); ++i)
    if (op.def().operands[i].arity == Arity::variadic) names.push_back(op.def().operands[i].name);
  return names;
}

// Of one parameter, its gradient (scaled, with the decay that is L2) and its states: the new ones.
// The decay that is decoupled has been taken off the parameter.
using Rule = std::function<Values(Value p, Value g, const Values& states)>;

struct Decay {
  double rate = 0;
  bool decoupled = false;

  explicit Decay(const OpView& op) : rate(op.real("decay")), decoupled(op.flag("decoupled")) {}
};

Value scaled_gradient(Expansion& e, const OpView& op, size_t i) {
  const Value g = e.group("g")[i];
  return op.has("scale") ? e.builder.mul(g, e["scale"]) : g;
}

Graph expand_update(Expansion& e, const OpView& op, const Rule& rule) {
  Builder& b = e.builder;
  const DType t = op.operand("lr").dtype;
  const Decay decay(op);
  const std::vector<std::string_view> groups = state_groups(op);
  std::vector<Values> results(1 + groups.size());
  for (size_t i = 0; i < static_cast<size_t>(op.count("p")); ++i) {
    Value p = e.group("p")[i], g = scaled_gradient(e, op, i);
    if (decay.rate != 0 && !decay.decoupled) g = b.add(g, b.mul(p, b.scalar(decay.rate, t)));
    if (decay.rate != 0 && decay.decoupled)
      p = b.sub(p, b.mul(p, b.mul(e["lr"], b.scalar(decay.rate, t))));
    Values states;
    for (const std::string_view group : groups)
      if (op.has(group)) states.push_back(e.group(group)[i]);
    const Values updated = rule(p, g, states);
    for (size_t k = 0; k < updated.size(); ++k) results[k].push_back(updated[k]);
  }
  Values all;
  for (const Values& group : results) all.insert(all.end(), group.begin(), group.end());
  return e.finish(all);
}

// share x + (1 - share) y
Value averaged(Builder& b, Value x, Value y, double share) {
  const DType t = b.type(x).dtype;
  return b.add(b.mul(x, b.scalar(share, t)), b.mul(y, b.scalar(1 - share, t)));
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

Types infer_update(const OpView& op) {
  check_like_parameters(op, "g");
  check_scalars(op, {"lr", "scale"});
  Types types = op.group("p");
  for (const std::string_view group : state_groups(op)) {
    check_like_parameters(op, group);
    add_group(op, group, types);
  }
  return types;
}

Types infer_sgd_update(const OpView& op) {
  if (op.real("momentum") != 0) return infer_update(op);
  if (op.has("m")) op.fail("sgd_update.4", "needs no m without a momentum, found ", op.count("m"));
  check_like_parameters(op, "g");
  check_scalars(op, {"lr", "scale"});
  return op.group("p");
}

Types infer_adam_update(const OpView& op) {
  if (!is_integer(op.operand("step").dtype) || op.operand("step").rank() != 0)
    op.fail("adam_update.4", "needs an integer scalar step, found ", op.operand("step"));
  return infer_update(op);
}

Types infer_adafactor_update(const OpView& op) {
  check_like_parameters(op, "g");
  check_scalars(op, {"beta2", "lr", "scale"});
  if (!(op.real("eps") > 0))
    op.fail("adafactor_update.6", "needs eps above 0, found ", op.real("eps"));
  if (op.has("m")) check_like_parameters(op, "m");
  check_count(op, "r");
  if (!op.has("c")) check_like_parameters(op, "r");
  if (op.has("c")) check_count(op, "c");
  const Types p = op.group("p");
  for (size_t i = 0; op.has("c") && i < p.size(); ++i) {
    if (p[i].rank() < 2)
      op.fail("adafactor_update.4", "needs parameters of rank 2 or more beside c, found ", p[i]);
    TensorType rows = p[i], columns = p[i];
    rows.shape.pop_back();
    columns.shape.erase(columns.shape.end() - 2);
    for (const auto& [group, needed] :
         {std::pair{std::string_view("r"), rows}, {std::string_view("c"), columns}})
      if (op.group(group)[i] != needed)
        op.fail("adafactor_update.5", "needs ", group, " ", i, " of ", needed, ", found ",
                op.group(group)[i]);
  }
  Types types = p;
  for (const std::string_view group : state_groups(op)) add_group(op, group, types);
  return types;
}

Types infer_moving_average(const OpView& op) {
  check_like_parameters(op, "a");
  check_scalars(op, {"decay"});
  return op.group("a");
}

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
  const double b1 = op.real("beta1"), b2 = op.real("beta2");
  const Value step = b.cast(e["step"], t), lr = e["lr"];
  const Value correction1 = b.sub(real(1), b.emit(pow, {{real(b1)}, {step}}));
  const Value correction2 = b.sub(real(1), b.emit(pow, {{real(b2)}, {step}}));
  return expand_update(e, op, [&](Value p, Value g, const Values& states) -> Values {
    const Value m = averaged(b, states[0], g, b1), v = averaged(b, states[1], b.mul(g, g), b2);
    const Value denominator = b.add(b.sqrt(b.div(v, correction2)), real(op.real("eps")));
    return {b.sub(p, b.mul(lr, b.div(b.div(m, correction1), denominator))), m, v};
  });
}

Graph expand_adadelta_update(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const double rho = op.real("rho");
  const Value eps = b.scalar(op.real("eps"), op.operand("lr").dtype);
  return expand_update(e, op, [&](Value p, Value g, const Values& states) -> Values {
    const Value a = averaged(b, states[0], b.mul(g, g), rho);
    const Value u = b.mul(b.div(b.sqrt(b.add(states[1], eps)), b.sqrt(b.add(a, eps))), g);
    return {b.sub(p, b.mul(e["lr"], u)), a, averaged(b, states[1], b.mul(u, u), rho)};
  });
}

Graph expand_sgd_update(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const Value momentum = b.scalar(op.real("momentum"), op.operand("lr").dtype);
  return expand_update(e, op, [&](Value p, Value g, const Values& states) -> Values {
    if (states.empty()) return {b.sub(p, b.mul(e["lr"], g))};
    const Value m = b.add(b.mul(states[0], momentum), g);
    const Value u = op.flag("nesterov") ? b.add(g, b.mul(m, momentum)) : m;
    return {b.sub(p, b.mul(e["lr"], u)), m};
  });
}

Graph expand_adagrad_update(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const auto real = [&](const char* name) {
    return b.scalar(op.real(name), op.operand("lr").dtype);
  };
  return expand_update(e, op, [&](Value p, Value g, const Values& states) -> Values {
    const Value a = b.add(states[0], b.mul(g, g));
    const Value root = b.add(b.sqrt(b.add(a, real("initial"))), real("eps"));
    return {b.sub(p, b.mul(e["lr"], b.div(g, root))), a};
  });
}

Graph expand_lion_update(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  return expand_update(e, op, [&](Value p, Value g, const Values& states) -> Values {
    const Value u = b.emit(sign, {{averaged(b, states[0], g, op.real("beta1"))}});
    return {b.sub(p, b.mul(e["lr"], u)), averaged(b, states[0], g, op.real("beta2"))};
  });
}

namespace {

// One parameter of adafactor_update.
class Adafactor {
 public:
  Adafactor(Expansion& e, const OpView& op) : e_(e), op_(op), b_(e.builder) {}

  // What becomes of p, m, r and c, without those that are not there.
  Values update(size_t i) {
    const Value p = e_.group("p")[i];
    Value g = scaled_gradient(e_, op_, i);
    const Decay decay(op_);
    if (decay.rate != 0 && !decay.decoupled) g = b_.add(g, b_.mul(p, real(decay.rate)));
    Values states;
    const Value u = clipped(direction(i, g, states));
    Value rate = e_["lr"];
    if (op_.flag("scaled"))
      rate =
          b_.mul(rate, b_.emit(maximum, {{root_mean_square(p)}, {real(op_.real("least_scale"))}}));
    Value change = b_.mul(u, rate);
    Values results;
    if (op_.has("m")) {
      change = averaged(b_, e_.group("m")[i], change, op_.real("beta1"));
      results.push_back(change);
    }
    const bool shrinks = decay.rate != 0 && decay.decoupled;
    const Value kept = shrinks ? b_.sub(p, b_.mul(p, b_.mul(rate, real(decay.rate)))) : p;
    results.insert(results.begin(), b_.sub(kept, change));
    results.insert(results.end(), states.begin(), states.end());
    return results;
  }

 private:
  Value real(double x) { return b_.scalar(x, op_.operand("lr").dtype); }
  Value mean(Value x, int64_t axis, bool keep) {
    return b_.emit(ops::mean, {{x}}, {{"axes", Integers{axis}}, {"keep", keep}});
  }
  Value mean_all(Value x) {
    Integers axes;
    for (int64_t a = 0; a < b_.type(x).rank(); ++a) axes.push_back(a);
    return axes.empty() ? x : b_.emit(ops::mean, {{x}}, {{"axes", axes}});
  }
  Value root_mean_square(Value x) { return b_.sqrt(mean_all(b_.mul(x, x))); }
  // beta2 x + (1 - beta2) y
  Value moved(Value x, Value y) {
    const Value beta = e_["beta2"];
    return b_.add(b_.mul(x, beta), b_.mul(y, b_.sub(real(1), beta)));
  }
  Value reciprocal_root(Value x) { return b_.emit(rsqrt, {{x}}); }
  Value inserted(Value x, int64_t axis) {
    Shape shape = b_.type(x).shape;
    shape.insert(shape.begin() + axis, Dim(1));
    return b_.reshape(x, shape);
  }

  // g over the root of its second moments, which go to `states`.
  Value direction(size_t i, Value g, Values& states) {
    const Value h = b_.add(b_.mul(g, g), real(op_.real("eps")));
    const Value old = e_.group("r")[i];
    if (!op_.has("c")) {
      states = {moved(old, h)};
      return b_.mul(g, reciprocal_root(states[0]));
    }
    const int64_t columns = b_.type(g).rank() - 1, rows = columns - 1;
    const Value r = moved(old, mean(h, columns, false));
    const Value c = moved(e_.group("c")[i], mean(h, rows, false));
    states = {r, c};
    const Value row_factor = reciprocal_root(b_.div(r, mean(r, rows, true)));
    return b_.mul(g, b_.mul(inserted(row_factor, columns), inserted(reciprocal_root(c), rows)));
  }

  Value clipped(Value u) {
    const Value excess = b_.div(root_mean_square(u), real(op_.real("clip")));
    return b_.div(u, b_.emit(maximum, {{real(1)}, {excess}}));
  }

  Expansion& e_;
  const OpView& op_;
  Builder& b_;
};

}  // namespace

Graph expand_adafactor_update(const OpView& op) {
  Expansion e(op);
  Adafactor adafactor(e, op);
  std::vector<Values> results;
  for (size_t i = 0; i < static_cast<size_t>(op.count("p")); ++i) {
    const Values updated = adafactor.update(i);
    results.resize(updated.size());
    for (size_t k = 0; k < updated.size(); ++k) results[k].push_back(updated[k]);
  }
  Values all;
  for (const Values& group : results) all.insert(all.end(), group.begin(), group.end());
  return e.finish(all);
}

Graph expand_moving_average(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const Value decay = e["decay"], rest = b.sub(b.scalar(1, op.operand("decay").dtype), decay);
  Values all;
  for (size_t i = 0; i < static_cast<size_t>(op.count("p")); ++i)
    all.push_back(b.add(b.mul(e.group("a")[i], decay), b.mul(e.group("p")[i], rest)));
  return e.finish(all);
}

}  // namespace weft::ir::ops
