// ir/passes/padding/ended_rows.cpp -- what ended rows of a loop can reach in its body.
#include "ir/passes/padding/ended_rows.h"

#include "ir/rewrite/rewrite.h"

#include <algorithm>

namespace weft::ir {
namespace {

bool led_by(const TensorType& t, const Dim& batch) { return t.rank() > 0 && t.dim(0) == batch; }

bool is_zero_constant(const Graph& g, Value v) {
  const Node* p = g.producer(v);
  return p != nullptr && p->op == &ops::constant && OpView(g, *p).reals("values") == Reals{0.0};
}

bool any_of(const OpDef* op, std::initializer_list<const OpDef*> list) {
  return std::find(list.begin(), list.end(), op) != list.end();
}

// Ops that act along axes (or whole rows) and leave the leading axis alone when `axis` is not it.
bool axis_is_inner(const OpView& op) {
  for (const std::string_view name : {"axis"})
    if (op.def().attr(name) != nullptr && op.def().attr(name)->kind == AttrKind::axis &&
        op.axis(name) == 0)
      return false;
  if (op.def().attr("axes") != nullptr && op.def().attr("axes")->kind == AttrKind::axes)
    for (const int64_t a : op.axes())
      if (a == 0) return false;
  return true;
}

}  // namespace

bool is_row_wise(const OpView& op, int operand, int result, const Dim& batch) {
  const OpDef* def = &op.def();
  const TensorType &x = op.operand(operand), &y = op.result(result);
  if (!led_by(x, batch) || !led_by(y, batch)) return false;
  if (def->elementwise) return x.rank() == y.rank();
  if (any_of(def, {&ops::matmul})) {
    // Rows of a (rank 2), or the leading batch axis of either.
    if (x.rank() == 2)
      return operand == 0 && y.rank() == 2 && !op.flag("transpose_a") &&
             !led_by(op.operand(1), batch);
    return x.rank() == y.rank() && x.rank() >= 3;
  }
  if (any_of(def, {&ops::linear}))
    return operand == 0 || (op.has("residual") && operand == op.position("residual"));
  if (any_of(def, {&ops::reshape, &ops::stop_gradient})) return true;
  if (any_of(def, {&ops::broadcast})) return x.rank() == y.rank();
  if (any_of(def, {&ops::transpose})) return op.integers("perm")[0] == 0;
  if (any_of(def,
             {&ops::slice, &ops::pad, &ops::concat, &ops::reverse, &ops::softmax, &ops::log_softmax,
              &ops::cumsum, &ops::sum, &ops::mean, &ops::max, &ops::min, &ops::prod, &ops::arg_max,
              &ops::softmax_grad, &ops::cumprod, &ops::sort, &ops::linear_recurrence}))
    return axis_is_inner(op);
  if (any_of(def, {&ops::conv, &ops::conv_input_grad})) return operand == 0;
  if (any_of(def, {&ops::max_pool, &ops::max_pool_grad, &ops::avg_pool, &ops::avg_pool_grad}))
    return true;
  if (any_of(def, {&ops::one_hot, &ops::length_mask})) return true;
  if (any_of(def, {&ops::random}))
    return operand == op.position("rows") &&
           (!op.has("position") || op.operand("position").rank() == 0);
  if (any_of(def, {&ops::gather}))
    return operand == 0 ? op.integer("batch") > 0 || op.axis() > 0
                        : op.axis() == 0 || op.integer("batch") > 0;
  if (any_of(def, {&ops::attention})) return x.rank() + 1 >= op.operand("k").rank();
  if (any_of(def, {&ops::attention_grad})) {
    const std::string& name = op.texts("wanted")[static_cast<size_t>(result)];
    return name == "q" || name == "k" || name == "v";
  }
  if (any_of(def, {&ops::layer_norm, &ops::rms_norm})) return x.rank() >= 2;
  if (any_of(def, {&ops::layer_norm_grad, &ops::rms_norm_grad}))
    return y.rank() >= 2 && op.texts("wanted")[static_cast<size_t>(result)] == "x";
  if (any_of(def, {&ops::gru_cell, &ops::lstm_cell, &ops::gru_cell_grad, &ops::lstm_cell_grad,
                   &ops::softmax_cross_entropy, &ops::softmax_cross_entropy_grad}))
    return true;
  return false;
}

bool is_live_mask(const Graph& body, Value cond, Value live) {
  for (int guard = 0; guard < 8; ++guard) {
    if (cond == live) return true;
    const Node* p = body.producer(cond);
    if (p == nullptr || !any_of(p->op, {&ops::reshape, &ops::broadcast})) return false;
    if (!(body.type(cond).rank() > 0 && body.type(live).rank() > 0 &&
          body.type(cond).dim(0) == body.type(live).dim(0)))
      return false;
    cond = p->operands[0];
  }
  return false;
}

DeadRows dead_rows(const Graph& body, const Dim& batch, Value live,
                   const std::vector<Value>& zero_arguments) {
  DeadRows known{std::vector<bool>(static_cast<size_t>(body.value_count())),
                 std::vector<bool>(static_cast<size_t>(body.value_count()))};
  auto &zero = known.zero, &free = known.free;
  for (const Argument& a : body.arguments())
    free[static_cast<size_t>(a.value.id)] = !led_by(body.type(a.value), batch);
  for (const Value v : zero_arguments) zero[static_cast<size_t>(v.id)] = true;
  if (live.valid()) zero[static_cast<size_t>(live.id)] = true;
  const auto is_zero = [&](Value v) {
    return zero[static_cast<size_t>(v.id)] || is_zero_constant(body, v);
  };
  const auto is_free = [&](Value v) { return free[static_cast<size_t>(v.id)]; };

  for (const Node& node : body.nodes()) {
    const OpView op(body, node);
    const auto operand_zero = [&](int i) { return is_zero(node.operands[static_cast<size_t>(i)]); };
    const int n = op.operand_count();
    bool all_free = node.regions.empty();
    for (const Value v : node.operands) all_free &= is_free(v);
    for (size_t r = 0; r < node.results.size(); ++r) {
      const size_t id = static_cast<size_t>(node.results[r].id);
      const int result = static_cast<int>(r);
      free[id] = all_free;
      const auto row_zero = [&](int i) {
        return operand_zero(i) && is_row_wise(op, i, result, batch);
      };
      bool z = false;
      if (node.op == &ops::select) {
        const bool masks = live.valid() && is_live_mask(body, node.operands[0], live) &&
                           op.operand(0).rank() == op.result().rank();
        z = led_by(op.result(), batch) && (masks || operand_zero(1)) && operand_zero(2) &&
            (masks || is_zero_constant(body, node.operands[1]) || is_row_wise(op, 1, 0, batch)) &&
            (is_zero_constant(body, node.operands[2]) || is_row_wise(op, 2, 0, batch));
      } else if (any_of(node.op, {&ops::mul, &ops::matmul})) {
        z = row_zero(0) || row_zero(1);
      } else if (any_of(node.op, {&ops::div, &ops::attention_grad, &ops::softmax_cross_entropy_grad,
                                  &ops::gru_cell_grad, &ops::softmax_grad, &ops::layer_norm_grad,
                                  &ops::rms_norm_grad})) {
        z = row_zero(0) && (node.op != &ops::attention_grad || !op.has("dweights") ||
                            row_zero(op.position("dweights")));
      } else if (node.op == &ops::lstm_cell_grad) {
        z = row_zero(0) && row_zero(1);
      } else if (node.op == &ops::linear) {
        const ops::Activation* a = ops::activation_named(op.text("activation"));
        z = row_zero(0) && !op.has("bias") && (a->op == nullptr || a->op->zero_preserving) &&
            (!op.has("residual") || row_zero(op.position("residual")));
      } else if (node.op->zero_preserving && n > 0) {
        z = true;
        for (int i = 0; i < n; ++i)
          z &= row_zero(i) ||
               (node.op->elementwise &&
                is_zero_constant(body, node.operands[static_cast<size_t>(i)]) && n > 1);
      }
      zero[id] = z;
      // Contractions over the rows of something zero on dead ones do not depend on these.
      if (!led_by(op.result(result), batch) && !free[id]) {
        if (node.op == &ops::matmul && op.operand(0).rank() == 2 && op.operand(1).rank() == 2 &&
            op.flag("transpose_a") && !op.flag("transpose_b"))
          free[id] = operand_zero(0) || operand_zero(1);
        else if (node.op == &ops::conv_weight_grad)
          free[id] = operand_zero(0) || operand_zero(1);
        else if (node.op == &ops::sum)
          free[id] = operand_zero(0);
        else if (node.op == &ops::attention_grad)
          free[id] = operand_zero(0) && !op.has("dweights");
        else if (any_of(node.op, {&ops::layer_norm_grad, &ops::rms_norm_grad}))
          free[id] = operand_zero(0);
        else if (node.op == &ops::scatter_add)
          free[id] = is_free(node.operands[0]) && operand_zero(2);
      }
    }
  }
  return known;
}

const Node* mixes_ended_rows(const Graph& body, const Dim& batch, Value live) {
  const DeadRows dead = dead_rows(body, batch, live);
  for (const Node& node : body.nodes()) {
    const OpView op(body, node);
    for (size_t r = 0; r < node.results.size(); ++r) {
      const bool led = led_by(op.result(static_cast<int>(r)), batch);
      if (!led && !dead.free[static_cast<size_t>(node.results[r].id)]) return &node;
      for (int i = 0; led && i < op.operand_count(); ++i)
        if (led_by(op.operand(i), batch) && !is_row_wise(op, i, static_cast<int>(r), batch))
          return &node;
    }
  }
  return nullptr;
}

std::vector<bool> rows_that_count(const Graph& body, const std::vector<bool>& row_carry,
                                  const Dim& batch) {
  std::vector<bool> counts(static_cast<size_t>(body.value_count()));
  for (size_t i = 0; i < row_carry.size(); ++i)
    if (!row_carry[i]) counts[static_cast<size_t>(body.outputs()[i].value.id)] = true;
  for (size_t n = body.nodes().size(); n-- > 0;) {
    const Node& node = body.nodes()[n];
    const OpView op(body, node);
    for (int i = 0; i < op.operand_count(); ++i) {
      bool reaches = false;
      for (size_t r = 0; r < node.results.size(); ++r)
        reaches |= counts[static_cast<size_t>(node.results[r].id)] ||
                   !is_row_wise(op, i, static_cast<int>(r), batch);
      if (reaches) counts[static_cast<size_t>(node.operands[static_cast<size_t>(i)].id)] = true;
    }
  }
  return counts;
}

Graph drop_live_selects(const Graph& body, const std::vector<bool>& row_carry, const Dim& batch,
                        Value live) {
  if (!live.valid()) return body;
  const std::vector<bool> counts = rows_that_count(body, row_carry, batch);
  bool any = false;
  const auto droppable = [&](const Node& node) {
    return node.op == &ops::select && !counts[static_cast<size_t>(node.results[0].id)] &&
           is_zero_constant(body, node.operands[2]) && is_live_mask(body, node.operands[0], live) &&
           body.type(node.operands[1]) == body.type(node.results[0]) &&
           led_by(body.type(node.results[0]), batch);
  };
  for (const Node& node : body.nodes()) any |= droppable(node);
  if (!any) return body;
  return rewrite_nodes(body, [&](Rewriter& r, const Node& node) -> std::optional<Values> {
    if (!droppable(node)) return std::nullopt;
    return Values{r(node.operands[1])};
  });
}

}  // namespace weft::ir
