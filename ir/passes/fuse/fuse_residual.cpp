// ir/passes/fuse/fuse_residual.cpp -- a product and what it is added to become one op.
#include "ir/passes/fuse/fuse_residual.h"

#include "ir/error.h"
#include "ir/rewrite/pattern.h"

#include <algorithm>

namespace weft::ir {
namespace {

class Residuals {
 public:
  Residuals(const Graph& graph, PassContext& context)
      : graph_(graph), context_(context), readers_(graph), product_(graph.nodes().size(), -1) {
    const int nodes = static_cast<int>(graph.nodes().size());
    for (int n = 0; n < nodes; ++n)
      if (node(n).op == &ops::add) choose_product(n);
    // GraphUses first: an add that takes in a product is no elementwise op any more.
    for (int n = nodes; n-- > 0;)
      if (takes_a_product(n) && ends_in_a_chain(n)) product_[static_cast<size_t>(n)] = -1;
  }

  Graph run() {
    if (std::all_of(product_.begin(), product_.end(), [](int p) { return p < 0; })) return graph_;
    return rewrite_nodes(graph_, [&](Rewriter& r, const Node& n) -> std::optional<Values> {
      const int sum = static_cast<int>(&n - graph_.nodes().data());
      const int p = product_[static_cast<size_t>(sum)];
      if (p < 0) return std::nullopt;
      const OpView product(graph_, node(p));
      const Value made = node(p).results[0];
      const Value residual = n.operands[n.operands[0] == made ? 1 : 0];
      Values bias;
      if (node(p).op == &ops::linear && product.has("bias")) bias.push_back(r(node(p).operands[2]));
      context_.done("fuse_residual", concat(where(n), ": ", graph_.display_name(n.results[0]),
                                            " is added up in the product's place"));
      r.builder.from = united_provenance(graph_, {sum, p});
      return Values{r.builder.emit(
          ops::linear, {{r(node(p).operands[0])}, {r(node(p).operands[1])}, bias, {r(residual)}},
          {{"transpose_b", product.flag("transpose_b")}, {"activation", std::string("none")}})};
    });
  }

 private:
  const Node& node(int n) const { return graph_.nodes()[static_cast<size_t>(n)]; }
  bool takes_a_product(int n) const { return product_[static_cast<size_t>(n)] >= 0; }
  bool is_elementwise(int n) const { return node(n).op->elementwise && !takes_a_product(n); }

  bool ends_in_a_chain(int n) const {
    const Value y = node(n).results[0];
    return readers_.one(y) && readers_.of(y)[0] >= 0 && is_elementwise(readers_.of(y)[0]);
  }

  // Of two products the later one: it is added to the other.
  void choose_product(int n) {
    const Node& add = node(n);
    for (const size_t i : {size_t{0}, size_t{1}}) {
      const Value made = add.operands[i], residual = add.operands[1 - i];
      const int p = graph_.info(made).node;
      if (p < product_[static_cast<size_t>(n)] || !is_product(made) || made == residual) continue;
      if (graph_.type(residual) != graph_.type(made) || is_made_by_a_chain(residual)) continue;
      product_[static_cast<size_t>(n)] = p;
    }
  }

  bool is_product(Value v) const {
    const Node* p = graph_.producer(v);
    const DType dtype = graph_.type(v).dtype;
    if (p == nullptr || !readers_.one(v) || !is_float(dtype) || dtype == DType::bf16) return false;
    const OpView op(graph_, *p);
    if (p->op == &ops::linear) return op.text("activation") == "none" && !op.has("residual");
    return p->op == &ops::matmul && !op.flag("transpose_a") && op.operand(1).rank() == 2;
  }
  bool is_made_by_a_chain(Value v) const {
    const int n = graph_.info(v).node;
    return n >= 0 && readers_.one(v) && is_elementwise(n);
  }

  const Graph& graph_;
  PassContext& context_;
  const GraphUses readers_;
  std::vector<int> product_;  // by node: of an add the product it takes in, or -1
};

}  // namespace

Graph fuse_residual(const Graph& graph, PassContext& context) {
  return with_regions(graph, [&](const Graph& g) { return Residuals(g, context).run(); });
}

}  // namespace weft::ir
