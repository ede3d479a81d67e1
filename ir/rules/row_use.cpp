// ir/rules/row_use.cpp -- what a node does with rows.
#include "ir/rules/row_use.h"

#include "ir/graph.h"
#include "ir/ops/all.h"

#include <algorithm>

namespace weft::ir {
namespace {

using Names = std::initializer_list<std::string_view>;

bool any_of(const OpDef* op, std::initializer_list<const OpDef*> list) {
  return std::find(list.begin(), list.end(), op) != list.end();
}

class Judge {
 public:
  Judge(const OpView& op, const std::vector<bool>& led, int leading)
      : op_(op), led_(led), leading_(leading) {}

  RowUse use() const {
    const OpDef* def = &op_.def();
    if (std::find(led_.begin(), led_.end(), true) == led_.end()) return RowUse::mixed;
    if (any_of(def, {&ops::matmul}) && is_contraction()) return RowUse::summed;
    if (any_of(def, {&ops::sum}) && sums_rows()) return RowUse::summed;
    if (any_of(def, {&ops::conv_weight_grad}) && leading_ == 1 && all()) return RowUse::summed;
    if (any_of(def, {&ops::scatter_add}))
      return is_look_up() && led_[2] && only({"indices", "updates"}) ? RowUse::summed
                                                                     : RowUse::mixed;
    if (is_norm_grad(def) && led("dy") && led("x") && !wants("x")) return RowUse::summed;
    if (any_of(def, {&ops::linear_cross_entropy}))
      return leading_ == op_.result().rank() && led("dloss") && led("x") && led("labels") &&
                     led("weights") == op_.has("weights") &&
                     only({"dloss", "x", "labels", "weights"})
                 ? RowUse::both
                 : RowUse::mixed;
    return is_row_wise(def) ? RowUse::row_wise : RowUse::mixed;
  }

  std::optional<std::vector<bool>> moved() const {
    std::vector<bool> rows;
    if (&op_.def() == &ops::attention_grad && is_batched_attention()) {
      for (const std::string& name : op_.texts("wanted")) rows.push_back(name != "v_a");
      if (op_.texts("wanted").back() == "bias") return std::nullopt;  // of any shape
      return rows;
    }
    const RowUse u = use();
    if (u == RowUse::mixed) return std::nullopt;
    rows.assign(op_.node().results.size(), u != RowUse::summed);
    for (size_t i = 1; i < rows.size() && u == RowUse::both; ++i)
      rows[i] = op_.texts("wanted")[i - 1] == "x";
    return rows;
  }

 private:
  bool led(std::string_view name) const {
    return op_.def().operand_index(name) >= 0 && op_.has(name) &&
           led_[static_cast<size_t>(op_.position(name))];
  }

  // No operands but these are led.
  bool only(Names names) const {
    for (size_t i = 0; i < led_.size(); ++i) {
      bool named = !led_[i];
      for (const std::string_view name : names)
        named |= op_.has(name) && op_.position(name) == static_cast<int>(i);
      if (!named) return false;
    }
    return true;
  }

  bool only_first() const {
    return led_[0] && std::find(led_.begin() + 1, led_.end(), true) == led_.end();
  }

  bool all() const { return std::find(led_.begin(), led_.end(), false) == led_.end(); }

  bool same_rows(const TensorType& a, const TensorType& b) const {
    return a.rank() >= leading_ && b.rank() >= leading_ &&
           std::equal(a.shape.begin(), a.shape.begin() + leading_, b.shape.begin());
  }

  bool is_contraction() const {
    return leading_ == 1 && led_[0] && led_[1] && op_.operand(0).rank() == 2 &&
           op_.operand(1).rank() == 2 && op_.flag("transpose_a") && !op_.flag("transpose_b");
  }

  bool sums_rows() const {
    const std::vector<int64_t> axes = op_.axes();
    for (int64_t axis = 0; axis < leading_; ++axis)
      if (std::find(axes.begin(), axes.end(), axis) == axes.end()) return false;
    return true;
  }

  // Rows of operand 0 at indices that are led.
  bool is_look_up() const {
    return op_.axis() == 0 && op_.integer("batch") == 0 && led_[1] && !led_[0];
  }

  // Elements keep their rows: the axes an op acts along lie behind them.
  bool acts_behind() const {
    if (op_.def().attr("axis") != nullptr) return op_.axis() >= leading_;
    const std::vector<int64_t> axes = op_.axes();
    return std::all_of(axes.begin(), axes.end(), [&](int64_t axis) { return axis >= leading_; });
  }

  bool is_elementwise() const {
    for (size_t i = 0; i < led_.size(); ++i)
      if (led_[i] && (op_.operand(static_cast<int>(i)).rank() != op_.result().rank() ||
                      !same_rows(op_.operand(static_cast<int>(i)), op_.result())))
        return false;
    return true;
  }

  bool keeps_leading_axes() const {
    const Integers& perm = op_.integers("perm");
    for (int i = 0; i < leading_; ++i)
      if (perm[static_cast<size_t>(i)] != i) return false;
    return true;
  }

  static bool is_norm_grad(const OpDef* def) {
    return any_of(def, {&ops::layer_norm_grad, &ops::rms_norm_grad});
  }
  bool wants(const std::string& name) const {
    const Texts& wanted = op_.texts("wanted");
    return std::find(wanted.begin(), wanted.end(), name) != wanted.end();
  }

  // Batches of queries, keys and values; not the queries of one batch.
  bool is_batched_attention() const {
    const TensorType &q = op_.operand("q"), &k = op_.operand("k");
    if (leading_ != 1 || k.rank() < 3 || led("v_a") || led("position")) return false;
    for (const std::string_view scores : {"mask", "bias", "dweights"})
      if (led(scores) && op_.operand(scores).rank() != q.rank()) return false;
    return (led("q") || led("do")) && q.rank() + 1 >= k.rank();
  }

  bool wants_rows() const {
    for (const std::string& name : op_.texts("wanted"))
      if (name != "q" && name != "k" && name != "v") return false;
    return true;
  }

  bool is_row_wise(const OpDef* def) const {
    const TensorType& x = op_.operand(0);
    if (def->elementwise) return is_elementwise();
    if (any_of(def, {&ops::matmul}))
      return led_[0] && !led_[1] && x.rank() > leading_ && op_.operand(1).rank() == 2 &&
             !op_.flag("transpose_a");
    if (any_of(def, {&ops::linear}))
      return only({"x", "residual"}) && led("x") && led("residual") == op_.has("residual") &&
             x.rank() > leading_;
    if (any_of(def, {&ops::conv, &ops::conv_input_grad})) return leading_ == 1 && only_first();
    if (any_of(def, {&ops::max_pool, &ops::max_pool_grad, &ops::avg_pool, &ops::avg_pool_grad}))
      return leading_ == 1 && all();
    if (any_of(def, {&ops::gather})) return is_look_up();
    if (any_of(def, {&ops::concat, &ops::linear_recurrence})) return all() && acts_behind();
    if (any_of(def, {&ops::slice, &ops::pad, &ops::reverse, &ops::softmax, &ops::log_softmax,
                     &ops::cumsum, &ops::arg_max, &ops::sum, &ops::mean, &ops::max, &ops::min,
                     &ops::prod, &ops::cumprod, &ops::sort}))
      return acts_behind();
    if (any_of(def, {&ops::reshape, &ops::broadcast}))
      return same_rows(x, op_.result()) &&
             (def == &ops::reshape || x.rank() == op_.result().rank());
    if (any_of(def, {&ops::transpose})) return keeps_leading_axes();
    if (any_of(def, {&ops::one_hot, &ops::stop_gradient})) return true;
    if (any_of(def, {&ops::softmax_cross_entropy, &ops::softmax_cross_entropy_grad})) return all();
    if (any_of(def, {&ops::layer_norm, &ops::rms_norm}))
      return led("x") && only({"x"}) && x.rank() > leading_;
    if (is_norm_grad(def))
      return led("dy") && led("x") && x.rank() > leading_ && op_.texts("wanted") == Texts{"x"} &&
             (def == &ops::layer_norm_grad ? only({"dy", "x", "mean", "rstd"})
                                           : only({"dy", "x", "rstd"}));
    if (leading_ != 1) return false;
    if (any_of(def, {&ops::gru_cell})) return only({"g", "s"});
    if (any_of(def, {&ops::gru_cell_grad})) return only({"ds1", "s", "gates"});
    if (any_of(def, {&ops::lstm_cell})) return only({"g", "h", "c"});
    if (any_of(def, {&ops::lstm_cell_grad})) return only({"dh1", "dc1", "c", "c1", "gates"});
    if (any_of(def, {&ops::attention})) return is_batched_attention();
    if (any_of(def, {&ops::attention_grad})) return is_batched_attention() && wants_rows();
    return false;
  }

  const OpView& op_;
  const std::vector<bool>& led_;
  const int leading_;
};

}  // namespace

std::optional<std::vector<bool>> moved_results(const OpView& op, const std::vector<bool>& led,
                                               int leading) {
  return Judge(op, led, leading).moved();
}

RowUse row_use(const OpView& op, const std::vector<bool>& led, int leading) {
  return Judge(op, led, leading).use();
}

bool is_uniform(const Graph& g, Value v) {
  const Node* p = g.producer(v);
  if (p == nullptr) return false;
  if (p->op == &ops::constant) return OpView(g, *p).reals("values").size() == 1;
  return (p->op == &ops::broadcast || p->op == &ops::reshape) && is_uniform(g, p->operands[0]);
}

bool keeps_zero(const OpView& op, int result, const std::vector<bool>& zero) {
  const OpDef* def = &op.def();
  const auto named = [&](std::string_view name) {
    return op.has(name) && zero[static_cast<size_t>(op.position(name))];
  };
  if (zero.empty()) return false;
  if (def == &ops::select) return zero[2] && (zero[0] || zero[1]);
  if (any_of(def, {&ops::mul, &ops::matmul, &ops::logical_and, &ops::conv_input_grad,
                   &ops::conv_weight_grad}))
    return zero[0] || zero[1];
  if (def == &ops::conv) return !op.has("bias") && (zero[0] || zero[1]);
  if (def == &ops::logical_or) return zero[0] && zero[1];
  if (any_of(def, {&ops::div, &ops::gru_cell_grad, &ops::layer_norm_grad, &ops::rms_norm_grad,
                   &ops::rms_norm}))
    return zero[0];
  if (def == &ops::attention_grad) return zero[0] && !op.has("dweights");
  if (def == &ops::lstm_cell_grad) return zero[0] && zero[1];
  if (def == &ops::softmax_cross_entropy) return result == 0 && named("weights");
  if (def == &ops::softmax_cross_entropy_grad) return named("dloss") || named("weights");
  if (def == &ops::linear_cross_entropy) return named("weights") || (result > 0 && named("dloss"));
  if (def == &ops::linear) {
    const ops::Activation* a = ops::activation_named(op.text("activation"));
    return named("x") && !op.has("bias") && named("residual") == op.has("residual") &&
           (a->op == nullptr || a->op->zero_preserving);
  }
  return def->zero_preserving && std::find(zero.begin(), zero.end(), false) == zero.end();
}

bool adds_nothing(const OpView& op, const std::vector<bool>& zero) {
  if (any_of(&op.def(), {&ops::matmul, &ops::conv_weight_grad})) return zero[0] || zero[1];
  if (&op.def() == &ops::scatter_add) return zero[2];
  if (&op.def() == &ops::linear_cross_entropy)
    return zero[0] || (op.has("weights") && zero[static_cast<size_t>(op.position("weights"))]);
  return any_of(&op.def(), {&ops::sum, &ops::layer_norm_grad, &ops::rms_norm_grad}) && zero[0];
}

}  // namespace weft::ir
