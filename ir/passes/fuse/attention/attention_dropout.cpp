// ir/passes/fuse/attention/attention_dropout.cpp -- dropout between the weights of an attention and their sum.
#include "ir/passes/fuse/attention/attention_dropout.h"

#include "ir/error.h"
#include "ir/passes/fuse/attention/attention_scores.h"

#include <algorithm>
#include <cmath>

namespace weft::ir {
namespace {

// For each axis of a reshape's result that is not 1, the operand's it comes from; nothing where the
// reshape does more than put in or take out axes of size 1.
std::optional<Integers> same_axes(const Shape& from, const Shape& to) {
  Integers axes;
  size_t i = 0;
  for (const Dim& d : to) {
    while (i < from.size() && from[i].is(1)) ++i;
    if (d.is(1)) {
      axes.push_back(-1);
      continue;
    }
    if (i == from.size() || from[i] != d) return std::nullopt;
    axes.push_back(static_cast<int64_t>(i++));
  }
  while (i < from.size() && from[i].is(1)) ++i;
  return i == from.size() ? std::optional(axes) : std::nullopt;
}

}  // namespace

AttentionDropout::AttentionDropout(const GraphUses& readers, Value weights, bool single)
    : r_(&readers) {
  // The factor before the selection or behind it.
  Value x = weights, keep;
  double factor = 1;
  const bool before = scaled(x, 1, x, factor);
  if (!selected(x, x, keep)) {
    nodes_.clear();
    return;
  }
  if (!before) scaled(x, 1, x, factor);
  result_ = x;
  axes_of(keep, single);
  if (random_ == nullptr) return;
  const double p = r_->view(*random_).real("keep");
  if (std::abs(factor * p - 1) > 1e-9) {
    reason_ = concat("dropout keeps ", p, " of the weights but multiplies them by ", factor);
    random_ = nullptr;
  }
}

// to = from * by, or from / by, by a constant.
bool AttentionDropout::scaled(Value from, double factor, Value& to, double& by) {
  for (const int reader : r_->of(from)) {
    if (reader < 0) continue;
    const Node& n = r_->graph->nodes()[static_cast<size_t>(reader)];
    if (n.op != &ops::mul && n.op != &ops::div) continue;
    if (n.op == &ops::div && n.operands[0] != from) continue;
    const auto c = r_->scalar(n.operands[n.operands[0] == from ? 1 : 0]);
    if (!c || r_->graph->type(n.results[0]).shape != r_->graph->type(from).shape) continue;
    // Of several readers (the weights may be used elsewhere), the one that leads to a selection.
    Value further, keep;
    const std::vector<int> nodes = nodes_;
    const bool leads = nodes_.empty() ? selected(n.results[0], further, keep) : true;
    nodes_ = nodes;
    if (!leads) continue;
    nodes_.push_back(reader);
    to = n.results[0];
    by = factor * (n.op == &ops::mul ? *c : 1 / *c);
    return true;
  }
  return false;
}

// to = select(keep, from, 0).
bool AttentionDropout::selected(Value from, Value& to, Value& keep) {
  for (const int reader : r_->of(from)) {
    if (reader < 0) continue;
    const Node& n = r_->graph->nodes()[static_cast<size_t>(reader)];
    if (n.op != &ops::select || n.operands[1] != from) continue;
    const auto otherwise = r_->scalar(n.operands[2]);
    if (!otherwise || *otherwise != 0) continue;
    const Node* source = r_->producer(n.operands[0]);
    while (source != nullptr && (source->op == &ops::reshape || source->op == &ops::transpose))
      source = r_->producer(source->operands[0]);
    if (source == nullptr || source->op != &ops::random) continue;
    nodes_.push_back(reader);
    to = n.results[0];
    keep = n.operands[0];
    return true;
  }
  return false;
}

// Which axis of `random` each axis of the weights is.
void AttentionDropout::axes_of(Value keep, bool single) {
  const Shape weights = r_->graph->type(keep).shape;
  const int64_t rank = static_cast<int64_t>(weights.size());
  Integers axes;
  for (int64_t i = 0; i < rank; ++i) axes.push_back(weights[static_cast<size_t>(i)].is(1) ? -1 : i);
  const Node* n = r_->producer(keep);
  for (; n->op != &ops::random; n = r_->producer(n->operands[0])) {
    if (n->op == &ops::transpose) {
      const Integers& perm = r_->view(*n).integers("perm");
      for (int64_t& a : axes)
        if (a >= 0) a = perm[static_cast<size_t>(a)];
      continue;
    }
    const auto same =
        same_axes(r_->graph->type(n->operands[0]).shape, r_->graph->type(n->results[0]).shape);
    if (!same) {
      reason_ = concat("dropout's mask ", r_->graph->display_name(n->results[0]),
                       " is reshaped across axes");
      return;
    }
    for (int64_t& a : axes)
      if (a >= 0) a = (*same)[static_cast<size_t>(a)];
  }
  const OpView random = r_->view(*n);
  const int64_t positions = random.has("position") ? random.operand("position").rank() : 0;
  const auto drawn = [&](const std::string& why) {
    reason_ = concat("dropout's mask, from ", r_->graph->display_name(n->results[0]), ", ", why);
  };
  if (positions > 1) return drawn("has positions along more than one axis");
  const int64_t queries = single ? -1 : rank - 2;
  if (weights.empty() || rank < (single ? 2 : 3) || (axes[0] >= 0 && axes[0] != positions) ||
      !(random.operand("rows").dim(0) == weights[0]))
    return drawn("has rows that are not the first axis of the weights");
  if (positions == 1 &&
      (queries < 0 || axes[static_cast<size_t>(queries)] > 0 ||
       random.operand("position").dim(0) != weights[static_cast<size_t>(queries)]))
    return drawn("has positions that are not the queries'");
  // The others in random's order; axes of size 1 count for nothing, wherever they stand.
  std::vector<std::pair<int64_t, int64_t>> order;
  for (int64_t i = 1; i < rank; ++i)
    if (!(positions == 1 && i == queries))
      order.emplace_back(axes[static_cast<size_t>(i)], i - rank);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& x, const auto& y) { return x.first < y.first; });
  for (const auto& [from, axis] : order) inner_axes_.push_back(axis);
  if (r_->view(*n).text("form") != "keep") return;
  random_ = n;
}

void AttentionDropout::put(Rewriter& rw, bool one, ops::AttentionParts& attention) const {
  const OpView op = r_->view(*random_);
  const auto operand = [&](std::string_view name) {
    return rw(random_->operands[static_cast<size_t>(op.position(name))]);
  };
  attention["step"] = operand("step"), attention["rows"] = operand("rows");
  Integers axes;
  for (const int64_t axis : inner_axes_)
    if (!one || axis != -2) axes.push_back(one && axis < -2 ? axis + 1 : axis);
  if (op.has("position")) {
    const Value p = operand("position");
    attention["position"] = one ? rw.builder.reshape(p, {}) : p;
  }
  attention.attrs.set("keep", op.real("keep"));
  attention.attrs.set("stream", op.integer("stream"));
  attention.attrs.set("inner_axes", axes);
}

}  // namespace weft::ir
