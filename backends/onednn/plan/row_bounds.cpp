// backends/onednn/plan/row_bounds.cpp -- rows that need not be computed.
#include "backends/onednn/plan/row_bounds.h"

#include "backends/onednn/plan/lowering.h"
#include "ir/ops/pack.h"
#include "ir/ops/packed_attention.h"
#include "ir/ops/shape.h"

#include <algorithm>

namespace weft::onednn {
namespace {

size_t at(ir::Value v) { return static_cast<size_t>(v.id); }

bool is_packed_attention(const ir::Node& node) {
  return node.op == &ir::ops::packed_attention || node.op == &ir::ops::packed_attention_grad;
}

// A copy of rows nobody reads does no harm.
bool is_view(const Lowering& l) { return l.view != nullptr; }

}  // namespace

RowBounds::RowBounds(const ir::Graph& graph, std::span<const Lowering> lowerings,
                     const BodyRows* body)
    : graph_(&graph), lowerings_(lowerings) {
  led_by_.assign(static_cast<size_t>(graph.value_count()), -1);
  zero_.resize(led_by_.size());
  whole_.resize(led_by_.size());
  node_.assign(graph.nodes().size(), -1);
  find_led(body);
  if (counts_.empty()) return;
  for (size_t i = 0; i < graph.outputs().size(); ++i)
    if (body == nullptr || body->whole_outputs[i]) whole_[at(graph.outputs()[i].value)] = true;
  find_bounded();
}

bool RowBounds::any() const {
  return std::any_of(node_.begin(), node_.end(), [](int n) { return n >= 0; });
}

int RowBounds::count_of(const Count& c) {
  const auto known = std::find_if(counts_.begin(), counts_.end(), [&](const Count& k) {
    return k.lengths == c.lengths && k.steps == c.steps;
  });
  if (known != counts_.end()) return static_cast<int>(known - counts_.begin());
  counts_.push_back(c);
  return static_cast<int>(counts_.size()) - 1;
}

int RowBounds::count_of(const ir::Node& node) {
  const ir::OpView op(*graph_, node);
  const bool packs = node.op == &ir::ops::pack;
  return count_of({node.operands[1],
                   packs ? *op.operand(0).dim(op.flag("by_sequence") ? 1 : 0).constant()
                         : *op.dim("steps").constant(),
                   packs ? *op.result().dim(0).constant() : *op.operand(0).dim(0).constant()});
}

// Its results are rows of queries and of keys; it reads real rows only.
bool RowBounds::find_packed_attention(const ir::Node& node) {
  if (!is_packed_attention(node)) return false;
  const ir::OpView op(*graph_, node);
  const bool grad = node.op == &ir::ops::packed_attention_grad;
  const auto count = [&](const char* lengths, const char* steps) {
    const int64_t n = *op.dim(steps).constant();
    return count_of({node.operands[static_cast<size_t>(op.position(lengths))], n,
                     n * *op.operand(lengths).dim(0).constant()});
  };
  for (size_t r = 0; r < node.results.size(); ++r) {
    const std::string of = grad ? op.texts("wanted")[r] : "q";
    if (of == "bias") continue;
    led_by_[at(node.results[r])] =
        of == "q" ? count("q_lengths", "queries") : count("k_lengths", "keys");
    zero_[at(node.results[r])] = true;
  }
  return true;
}

std::vector<bool> RowBounds::led(const ir::Node& node, int count) const {
  std::vector<bool> led;
  for (const ir::Value v : node.operands) led.push_back(led_by_[at(v)] == count);
  return led;
}

void RowBounds::find_led(const BodyRows* body) {
  if (body != nullptr)
    for (size_t i = 0; i < body->arguments.size(); ++i)
      if (body->arguments[i]) {
        const ir::Value v = graph_->arguments()[i].value;
        if (counts_.empty()) counts_.push_back({{}, 0, *graph_->type(v).dim(0).constant()});
        led_by_[at(v)] = 0;
      }
  for (const ir::Node& node : graph_->nodes()) {
    if (node.op == &ir::ops::pack) {
      led_by_[at(node.results[0])] = count_of(node);
      zero_[at(node.results[0])] = true;
      continue;
    }
    if (!node.regions.empty() || find_packed_attention(node)) continue;
    int count = -1;
    for (const ir::Value v : node.operands) count = std::max(count, led_by_[at(v)]);
    const ir::OpView op(*graph_, node);
    if (count < 0) continue;
    const std::vector<bool> led_operands = led(node, count);
    const ir::RowUse use = ir::row_use(op, led_operands, 1);
    if (use != ir::RowUse::row_wise && use != ir::RowUse::both) continue;
    const std::vector<bool> led_results = *ir::moved_results(op, led_operands, 1);
    std::vector<bool> zero;
    for (const ir::Value v : node.operands)
      zero.push_back((led_by_[at(v)] == count && zero_[at(v)]) || ir::is_zero_constant(*graph_, v));
    for (size_t r = 0; r < node.results.size(); ++r) {
      if (!led_results[r]) continue;
      led_by_[at(node.results[r])] = count;
      zero_[at(node.results[r])] = ir::keeps_zero(op, static_cast<int>(r), zero);
    }
  }
}

ir::RowUse RowBounds::use(const ir::Node& node, int count) const {
  return ir::row_use(ir::OpView(*graph_, node), led(node, count), 1);
}

// Do rows behind the count add nothing to the sums that a node makes?
bool RowBounds::adds_nothing(const ir::Node& node, int count) const {
  const ir::OpView op(*graph_, node);
  std::vector<bool> zero;
  for (const ir::Value v : node.operands) zero.push_back(led_by_[at(v)] == count && zero_[at(v)]);
  return ir::adds_nothing(op, zero);
}

void RowBounds::find_bounded() {
  for (size_t n = graph_->nodes().size(); n-- > 0;) {
    const ir::Node& node = graph_->nodes()[n];
    const ir::OpView op(*graph_, node);
    const Lowering* lowering = find_lowering(lowerings_, node.op);
    const bool can =
        lowering != nullptr &&
        (is_view(*lowering) || (lowering->bounded != nullptr && lowering->bounded(op)));
    if (node.op == &ir::ops::unpack && led_by_[at(node.operands[0])] == count_of(node))
      continue;  // reads real rows only
    if (is_packed_attention(node)) {
      bool wanted = false;
      for (const ir::Value v : node.results) wanted |= led_by_[at(v)] < 0 || whole_[at(v)];
      if (!wanted) node_[n] = led_by_[at(node.results[0])];
      continue;
    }
    int count = node.results.empty() ? -1 : led_by_[at(node.results[0])];
    if (count >= 0 && can) {
      bool wanted = use(node, count) == ir::RowUse::both && !adds_nothing(node, count);
      for (const ir::Value v : node.results) wanted |= led_by_[at(v)] == count && whole_[at(v)];
      if (!wanted) {
        node_[n] = count;
        // pack reads its operand by rows of its own choice
        for (const ir::Value v : node.operands)
          if (node.op == &ir::ops::pack || (led_by_[at(v)] >= 0 && led_by_[at(v)] != count))
            whole_[at(v)] = true;
        continue;
      }
    }
    if (count < 0 && can) {
      for (const ir::Value v : node.operands) count = std::max(count, led_by_[at(v)]);
      if (count >= 0 && use(node, count) == ir::RowUse::summed && adds_nothing(node, count)) {
        node_[n] = count;
        continue;
      }
    }
    for (const ir::Value v : node.operands) whole_[at(v)] = true;
  }
}

}  // namespace weft::onednn
