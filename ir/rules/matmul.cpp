// ir/rules/matmul.cpp -- matmul over steps: into the rows, the batch, or the contraction.
//
//   each:  [T,M,K] x [K,N] -> [T,M,N]         one large matmul, rows T*M
//   sum:   sum_t a_t' b_t, a_t: [K,M], b_t: [K,N]  ->  [T*K,M]' [T*K,N]: one contraction
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {
namespace {

bool folds_into_contraction(const OpView& op) {
  return op.flag("transpose_a") && !op.flag("transpose_b") && op.operand(0).rank() == 2 &&
         op.operand(1).rank() == 2;
}

bool can_batch(const OpView& op, const Flags& lifted, const Wants& wants) {
  if (wants[0] != Want::sum) return true;
  return folds_into_contraction(op) && lifted[0] && lifted[1];
}

Values batch(const Lift& lift, const Wants& wants) {
  const int rank = lift.op.result().rank();
  if (wants[0] == Want::sum) {
    const auto rows = [&](int i) {
      const Shape& s = lift.builder.type(lift.operands[static_cast<size_t>(i)]).shape;
      return lift.builder.reshape(lift.operands[static_cast<size_t>(i)], {s[0] * s[1], s[2]});
    };
    return lift.emit({rows(0), rows(1)});
  }
  return lift.emit({lift.aligned(0, rank), lift.aligned(1, rank)});
}

bool can_batch_linear(const OpView& op, const Flags& lifted, const Wants& wants) {
  return !op.has("residual") && only_first_lifted(op, lifted, wants);
}

void axes(NodeAxes& n) {
  AxisList a = n.operands[0], b = n.operands[1];
  const auto split = [](AxisList& x, bool transposed) {  // leading axes, rows, columns
    const std::pair<Axis, Axis> last{x[x.size() - 2], x[x.size() - 1]};
    x.resize(x.size() - 2);
    return transposed ? std::pair{last.second, last.first} : last;
  };
  const auto [m, k] = split(a, n.op.flag("transpose_a"));
  const auto [k2, columns] = split(b, n.op.flag("transpose_b"));
  n.solver.same(k, k2);
  AxisList result = n.broadcast({a, b});
  result.insert(result.end(), {m, columns});
  n.results = {result};
}

void linear_axes(NodeAxes& n) {
  n.sign(n.op.flag("transpose_b") ? "x:*k w:nk bias:n residual:*n -> *n"
                                  : "x:*k w:kn bias:n residual:*n -> *n");
}

// Rows against a weight; batches of products; or a contraction over the rows.
RowUse rows_of(const Led& led) {
  const TensorType &a = led.op.operand(0), &b = led.op.operand(1);
  if (led.leading == 1 && led[0] && led[1] && folds_into_contraction(led.op)) return RowUse::summed;
  if (led.all() && a.rank() == b.rank() && a.rank() >= led.leading + 2) return RowUse::row_wise;
  return led[0] && !led[1] && a.rank() > led.leading && b.rank() == 2 && !led.op.flag("transpose_a")
             ? RowUse::row_wise
             : RowUse::mixed;
}

RowUse rows_of_linear(const Led& led) {
  return led.only({"x", "residual"}) && led("x") && led("residual") == led.op.has("residual") &&
                 led.op.operand("x").rank() > led.leading
             ? RowUse::row_wise
             : RowUse::mixed;
}

bool linear_zero(const OpView& op, int, const Flags& zero) {
  const auto named = [&](std::string_view name) {
    return op.has(name) && zero[static_cast<size_t>(op.position(name))];
  };
  const ops::Activation* a = ops::activation_named(op.text("activation"));
  return named("x") && !op.has("bias") && named("residual") == op.has("residual") &&
         (a->op == nullptr || a->op->zero_preserving);
}

std::string_view held_back(const OpView& op, bool) {
  const bool batched =
      op.operand("b").rank() > 2 || (op.operand("a").rank() > 2 && op.flag("transpose_a"));
  return batched ? "multiplies batches of matrices" : "";
}

Shape matrices(const OpView& op) {
  Shape sizes;
  for (const int i : {0, 1}) {
    const Shape& s = op.operand(i).shape;
    sizes.insert(sizes.end(), s.end() - 2, s.end());
  }
  return sizes;
}

constexpr OpRules kRules[] = {
    {.op = &ops::linear,
     .axes = linear_axes,
     .batching = {can_batch_linear, same_node},
     .rows = rows_of_linear,
     .keeps_zero = linear_zero,
     .cost = Cost::product,
     .bf16 = {.factors = {"x", "w"},
              .matrices = [](const OpView& op) { return op.operand("w").shape; }}},
    {.op = &ops::matmul,
     .axes = axes,
     .batching = {can_batch, batch},
     .rows = rows_of,
     .keeps_zero = either_zero,
     .adds_nothing = [](const OpView&, const Flags& zero) { return zero[0] || zero[1]; },
     .cost = Cost::product,
     .bf16 = {.factors = {"a", "b"}, .matrices = matrices, .held_back = held_back}},
};

}  // namespace

std::span<const OpRules> matmul() { return kRules; }

}  // namespace weft::ir::rules
