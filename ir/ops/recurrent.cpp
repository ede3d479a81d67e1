// ir/ops/recurrent.cpp -- inference of recurrent cells and their adjoints, and what they mean.
#include "ir/ops/recurrent.h"

#include "ir/rewrite/builder.h"

namespace weft::ir::ops {
namespace {

void need(const OpView& op, std::string_view operand, const Shape& shape, std::string_view label) {
  const TensorType& x = op.operand(operand);
  const DType dtype = op.operand(0).dtype;
  if (x.shape != shape || x.dtype != dtype)
    op.fail(label, "needs ", operand, " of ", TensorType{dtype, shape}, ", found ", x);
}

// A weight: of the other operands' dtype, or bf16 where that is f32; all weights alike.
void need_weight(const OpView& op, std::string_view operand, const Shape& shape,
                 std::string_view label) {
  const TensorType& w = op.operand(operand);
  const DType dtype = op.operand(0).dtype;
  if (w.shape != shape || product_dtype(w.dtype) != dtype || w.dtype != op.operand("U").dtype)
    op.fail(label, "needs ", operand, " of ", TensorType{dtype, shape},
            dtype == DType::f32 ? " or bf16, as U is, found " : ", found ", w);
}

// x W, of operands as W is.
Value product(Expansion& e, Value x, std::string_view weight, bool transposed = false) {
  Builder& b = e.builder;
  const Value w = e[weight];
  return b.matmul(b.cast(x, b.type(w).dtype), w, false, transposed);
}

bool reset_before(const OpView& op) {
  const std::string& reset = op.text("reset");
  if (reset != "before" && reset != "after")
    op.fail(ir::concat(op.def().name, ".1"), "reset must be before or after, found '", reset, "'");
  if (reset == "before" && op.has("bias_n"))
    op.fail(ir::concat(op.def().name, ".2"), "takes bias_n only with reset after");
  return reset == "before";
}

struct Size {
  Dim b, h;
};

Size state_size(const OpView& op, std::string_view state) {
  const TensorType& s = op.operand(state);
  if (s.rank() != 2 || !is_float(s.dtype))
    op.fail(ir::concat(op.def().name, ".3"), "needs a float state [B,H], found ", s);
  return {s.dim(0), s.dim(1)};
}

}  // namespace

Types infer_gru_cell(const OpView& op) {
  reset_before(op);
  const auto [b, h] = state_size(op, "s");
  need(op, "g", {b, h * 3}, "gru_cell.4");
  need_weight(op, "U", {h, h * 2}, "gru_cell.5");
  need_weight(op, "Un", {h, h}, "gru_cell.6");
  if (op.has("bias_n")) need(op, "bias_n", {h}, "gru_cell.7");
  Types types{op.operand("s")};
  if (op.flag("gates")) types.push_back(op.operand("g"));
  return types;
}

Types infer_gru_cell_grad(const OpView& op) {
  const bool before = reset_before(op);
  const auto [b, h] = state_size(op, "s");
  need(op, "ds1", {b, h}, "gru_cell_grad.4");
  need(op, "gates", {b, h * 3}, "gru_cell_grad.5");
  need_weight(op, "U", {h, h * 2}, "gru_cell_grad.6");
  need_weight(op, "Un", {h, h}, "gru_cell_grad.7");
  if (op.has("bias_n")) need(op, "bias_n", {h}, "gru_cell_grad.8");
  Types types{op.operand("gates"), op.operand("s")};
  if (!before) types.push_back(op.operand("s"));
  return types;
}

Types infer_lstm_cell(const OpView& op) {
  const auto [b, h] = state_size(op, "h");
  need(op, "g", {b, h * 4}, "lstm_cell.4");
  need(op, "c", {b, h}, "lstm_cell.5");
  need_weight(op, "U", {h, h * 4}, "lstm_cell.6");
  Types types{op.operand("h"), op.operand("c")};
  if (op.flag("gates")) types.push_back(op.operand("g"));
  return types;
}

Types infer_lstm_cell_grad(const OpView& op) {
  const auto [b, h] = state_size(op, "c");
  for (const std::string_view name : {"dh1", "dc1", "c1"})
    need(op, name, {b, h}, "lstm_cell_grad.4");
  need(op, "gates", {b, h * 4}, "lstm_cell_grad.5");
  need_weight(op, "U", {h, h * 4}, "lstm_cell_grad.6");
  return {op.operand("gates"), op.operand("c"), op.operand("c")};
}

Graph expand_gru_cell(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const Dim h = op.operand("s").dim(1);
  const Value g = e["g"], s = e["s"];
  const Value gates = b.sigmoid(b.add(b.slice(g, -1, 0, h * 2), product(e, s, "U")));
  const Value first = b.slice(gates, -1, 0, h), second = b.slice(gates, -1, h, h * 2);
  const Value gn = b.slice(g, -1, h * 2, h * 3);
  Value n, s1;
  if (op.text("reset") == "before") {
    n = b.tanh(b.add(gn, product(e, b.mul(second, s), "Un")));
    s1 = b.add(s, b.mul(first, b.sub(n, s)));
  } else {
    Value m = product(e, s, "Un");
    if (op.has("bias_n")) m = b.add(m, e["bias_n"]);
    n = b.tanh(b.add(gn, b.mul(first, m)));
    s1 = b.add(n, b.mul(second, b.sub(s, n)));
  }
  Values results{s1};
  if (op.flag("gates")) results.push_back(b.concat({gates, n}, -1));
  return e.finish(results);
}

Graph expand_gru_cell_grad(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const Dim h = op.operand("s").dim(1);
  const Value d = e["ds1"], s = e["s"], gates = e["gates"];
  const Value first = b.slice(gates, -1, 0, h), second = b.slice(gates, -1, h, h * 2),
              n = b.slice(gates, -1, h * 2, h * 3);
  const Value one = b.scalar(1, b.type(s).dtype);
  const auto through_sigmoid = [&](Value dy, Value y) {
    return b.mul(dy, b.mul(y, b.sub(one, y)));
  };
  const auto through_tanh = [&](Value dy, Value y) { return b.mul(dy, b.sub(one, b.mul(y, y))); };
  if (op.text("reset") == "before") {
    const Value z = first, r = second;
    const Value dn = through_tanh(b.mul(d, z), n);
    const Value drs = product(e, dn, "Un", true);
    const Value dz = through_sigmoid(b.mul(d, b.sub(n, s)), z),
                dr = through_sigmoid(b.mul(drs, s), r);
    const Value dzr = b.concat({dz, dr}, -1);
    Value ds = b.add(b.mul(d, b.sub(one, z)), b.mul(drs, r));
    ds = b.add(ds, product(e, dzr, "U", true));
    return e.finish({b.concat({dzr, dn}, -1), ds});
  }
  const Value r = first, z = second;
  Value m = product(e, s, "Un");
  if (op.has("bias_n")) m = b.add(m, e["bias_n"]);
  const Value dn = through_tanh(b.mul(d, b.sub(one, z)), n);
  const Value dm = b.mul(dn, r);
  const Value dr = through_sigmoid(b.mul(dn, m), r), dz = through_sigmoid(b.mul(d, b.sub(s, n)), z);
  const Value drz = b.concat({dr, dz}, -1);
  Value ds = b.add(b.mul(d, z), product(e, dm, "Un", true));
  ds = b.add(ds, product(e, drz, "U", true));
  return e.finish({b.concat({drz, dn}, -1), ds, dm});
}

Graph expand_lstm_cell(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const Dim h = op.operand("h").dim(1);
  const Value z = b.add(e["g"], product(e, e["h"], "U"));
  const Value i = b.sigmoid(b.slice(z, -1, 0, h)), f = b.sigmoid(b.slice(z, -1, h, h * 2));
  const Value n = b.tanh(b.slice(z, -1, h * 2, h * 3)), o = b.sigmoid(b.slice(z, -1, h * 3, h * 4));
  const Value c1 = b.add(b.mul(f, e["c"]), b.mul(i, n));
  Values results{b.mul(o, b.tanh(c1)), c1};
  if (op.flag("gates")) results.push_back(b.concat({i, f, n, o}, -1));
  return e.finish(results);
}

Graph expand_lstm_cell_grad(const OpView& op) {
  Expansion e(op);
  Builder& b = e.builder;
  const Dim h = op.operand("c").dim(1);
  const Value gates = e["gates"], dh1 = e["dh1"];
  const Value i = b.slice(gates, -1, 0, h), f = b.slice(gates, -1, h, h * 2);
  const Value n = b.slice(gates, -1, h * 2, h * 3), o = b.slice(gates, -1, h * 3, h * 4);
  const Value one = b.scalar(1, b.type(dh1).dtype);
  const auto through_sigmoid = [&](Value dy, Value y) {
    return b.mul(dy, b.mul(y, b.sub(one, y)));
  };
  const auto through_tanh = [&](Value dy, Value y) { return b.mul(dy, b.sub(one, b.mul(y, y))); };
  const Value t = b.tanh(e["c1"]);
  const Value dc1 = b.add(e["dc1"], through_tanh(b.mul(dh1, o), t));
  const Value dg =
      b.concat({through_sigmoid(b.mul(dc1, n), i), through_sigmoid(b.mul(dc1, e["c"]), f),
                through_tanh(b.mul(dc1, i), n), through_sigmoid(b.mul(dh1, t), o)},
               -1);
  return e.finish({dg, product(e, dg, "U", true), b.mul(dc1, f)});
}

}  // namespace weft::ir::ops
