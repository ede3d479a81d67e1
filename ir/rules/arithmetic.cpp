// ir/rules/arithmetic.cpp -- multiply-adds, op by op.
#include "ir/rules/arithmetic.h"

#include "ir/ops/all.h"

#include <algorithm>

namespace weft::ir {
namespace {

double size(const Dim& dim, const Bindings& bindings) {
  return static_cast<double>(dim.value(bindings));
}

double elements(const TensorType& type, const Bindings& bindings) {
  double n = 1;
  for (const Dim& d : type.shape) n *= size(d, bindings);
  return n;
}

// Of both products: every query meets every key, or those of a window. Heads that lie beside each
// other in a row are counted with it.
double attention_flops(const OpView& op, const Bindings& b) {
  const Integers& band = op.integers("band");
  const double queries = elements(op.operand("q"), b), all = size(op.operand("k").dim(-2), b);
  const bool window = !band.empty() && band[0] >= 0 && band[1] >= 0;
  const double keys = window ? std::min(all, static_cast<double>(band[0] + band[1] + 1)) : all;
  const double width = size(op.operand("q").dim(-1), b), values = size(op.operand("v").dim(-1), b);
  return width == 0 ? 0 : 2 * keys * (queries + queries / width * values);
}

// Every position of y meets the whole window for each of its channels, padding included.
double conv_flops(const TensorType& y, const TensorType& w, const Bindings& b) {
  const double channels = size(y.dim(-1), b);
  return channels == 0 ? 0 : 2 * elements(y, b) * elements(w, b) / channels;
}

double node_flops(const Graph& graph, const Node& node, const Bindings& b) {
  const OpView op(graph, node);
  if (node.op == &ops::matmul)
    return 2 * elements(graph.type(node.results[0]), b) *
           size(op.operand(0).dim(op.flag("transpose_a") ? -2 : -1), b);
  if (node.op == &ops::conv || node.op == &ops::conv_input_grad)
    return conv_flops(node.op == &ops::conv ? op.result() : op.operand(0), op.operand(1), b);
  if (node.op == &ops::conv_weight_grad) return conv_flops(op.operand(1), op.result(), b);
  if (node.op == &ops::linear)
    return 2 * elements(graph.type(node.results[0]), b) * size(op.operand(0).dim(-1), b);
  if (node.op == &ops::attention) return attention_flops(op, b);
  if (node.op == &ops::scan)
    return size(ops::ScanParts(op).steps, b) * product_flops(node.regions[0], b);
  if (!node.regions.empty()) return product_flops(node.regions[0], b);
  return node.op->expand != nullptr ? product_flops(node.op->expand(op), b) : 0;
}

}  // namespace

double product_flops(const Graph& graph, const Bindings& bindings) {
  double sum = 0;
  for (const Node& node : graph.nodes()) sum += node_flops(graph, node, bindings);
  return sum;
}

}  // namespace weft::ir
