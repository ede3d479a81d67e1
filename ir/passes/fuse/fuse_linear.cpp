// ir/passes/fuse/fuse_linear.cpp -- product, bias and activation become one op.
#include "ir/passes/fuse/fuse_linear.h"

#include "ir/error.h"
#include "ir/rewrite/pattern.h"

namespace weft::ir {
namespace {

Graph fused(const Graph& graph, PassContext& context) {
  const Pattern product = op(ops::matmul, any("x"), any("w"))
                              .named("product")
                              .with("transpose_a", false)
                              .one_use()
                              .where([](const OpView& m) {
                                return m.operand(1).rank() == 2 && is_float(m.operand(0).dtype);
                              });
  const Pattern sum = op(ops::add, product, any("bias"));
  const auto emit = [&](Match& m, std::string_view activation) -> Value {
    const TensorType& y = m.type("product");
    if (m.readers().graph->type(m.root().results[0]).shape != y.shape) return {};
    if (m.has("bias") && m.type("bias").shape != Shape{y.dim(-1)}) return {};
    context.done("fuse_linear",
                 concat(where(m.root()), ": ", m.readers().graph->display_name(m.root().results[0]),
                        " became linear (", m.has("bias") ? "bias, " : "", activation, ")"));
    return m.emit(ops::linear, {{m["x"]}, {m["w"]}, m.has("bias") ? Values{m["bias"]} : Values{}},
                  {{"transpose_b", m.view("product").flag("transpose_b")},
                   {"activation", std::string(activation)}});
  };
  Graph current = graph;
  for (const ops::Activation& a : ops::kActivations) {
    if (a.op == nullptr) continue;
    current = rewrite(current, op(*a.op, sum.one_use()), [&](Match& m) { return emit(m, a.name); });
    current = rewrite(current, op(*a.op, product), [&](Match& m) { return emit(m, a.name); });
  }
  return rewrite(current, sum, [&](Match& m) { return emit(m, "none"); });
}

}  // namespace

Graph fuse_linear(const Graph& graph, PassContext& context) {
  return with_regions(graph, [&](const Graph& g) { return fused(g, context); });
}

}  // namespace weft::ir
