// ir/passes/padding/drop_ignored_rows.cpp -- rows that a loss leaves out need not be zeroed.
#include "ir/passes/padding/drop_ignored_rows.h"

#include "ir/rewrite/rewrite.h"
#include "ir/rules/distinct_axes.h"

namespace weft::ir {
namespace {

constexpr std::string_view kName = "drop_ignored_rows";

bool is_loss(const OpDef* op) {
  return op == &ops::softmax_cross_entropy || op == &ops::softmax_cross_entropy_grad;
}

Value through(const Graph& g, Value v, const OpDef& op) {
  const Node* p = g.producer(v);
  return p != nullptr && p->op == &op ? p->operands[0] : v;
}

// The mask of which `weights` is 1 and 0; invalid where they are something else.
Value mask_of(const Graph& g, Value weights) {
  const Node* p = g.producer(weights);
  return p != nullptr && p->op == &ops::cast && g.type(p->operands[0]).dtype == DType::pred
             ? p->operands[0]
             : Value{};
}

// Is `node` select(m, x, 0)?
bool zeroes(const Graph& g, const Node& node) {
  if (node.op != &ops::select || g.type(node.operands[1]) != g.type(node.results[0])) return false;
  const Node* zero = g.producer(node.operands[2]);
  return zero != nullptr && zero->op == &ops::constant &&
         OpView(g, *zero).reals("values") == Reals{0.0};
}

// Is `node` select(reshape(mask), x, 0), the mask one axis short of x?
bool zeroes_rows(const Graph& g, const Node& node, Value mask) {
  if (!mask.valid() || !zeroes(g, node)) return false;
  Shape column = g.type(mask).shape;
  column.emplace_back(1);
  return through(g, node.operands[0], ops::reshape) == mask &&
         g.type(node.operands[0]).shape == column;
}

Value weights_of(const Graph& g, const Node& loss) {
  const OpView op(g, loss);
  return op.has("weights") ? loss.operands[static_cast<size_t>(op.position("weights"))] : Value{};
}

Graph of_distinct(const Graph& graph, PassContext& context) {
  bool any = false;
  for (const Node& node : graph.nodes()) any = any || is_loss(node.op);
  if (!any) return graph;
  Rewriter r(graph);
  for (const Node& node : graph.nodes()) {
    if (is_loss(node.op)) {
      const Value weights = weights_of(graph, node);
      const size_t logits = node.op == &ops::softmax_cross_entropy ? 0 : 1;
      const Node* made = graph.producer(node.operands[logits]);
      if (weights.valid() && made != nullptr &&
          zeroes_rows(graph, *made, mask_of(graph, weights))) {
        Node direct = node;
        direct.operands[logits] = made->operands[1];
        r.copy(direct);
        context.done(kName, where(node) + ": rows of weight 0 are not zeroed first");
        continue;
      }
      if (weights.valid() && made != nullptr && zeroes(graph, *made))
        context.near_miss(kName, where(node) +
                                     ": its logits are zeroed by another mask than the "
                                     "one its weights are made of");
    }
    if (node.op == &ops::select) {
      const Node* made = graph.producer(node.operands[1]);
      if (made != nullptr && made->op == &ops::softmax_cross_entropy_grad) {
        const Value weights = weights_of(graph, *made);
        if (weights.valid() && zeroes_rows(graph, node, mask_of(graph, weights))) {
          r.replace(node.results[0], r(node.operands[1]));
          continue;
        }
      }
    }
    r.copy(node);
  }
  return r.finish();
}

}  // namespace

Graph drop_ignored_rows(const Graph& graph, PassContext& context) {
  if (!contains(graph, ops::softmax_cross_entropy) &&
      !contains(graph, ops::softmax_cross_entropy_grad))
    return graph;
  return by_rows(
      graph, [&](const Graph& g) { return of_distinct(g, context); },
      [&] { context.near_miss(kName, std::string(kRowsUnknown)); });
}

}  // namespace weft::ir
