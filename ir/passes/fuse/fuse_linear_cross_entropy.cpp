// ir/passes/fuse/fuse_linear_cross_entropy.cpp -- the vocabulary's scores, their loss and its gradient
// become one op.
#include "ir/passes/fuse/fuse_linear_cross_entropy.h"

#include "ir/error.h"
#include "ir/rewrite/pattern.h"

#include <algorithm>

namespace weft::ir {
namespace {

constexpr std::string_view kName = "fuse_linear_cross_entropy";

class Finder {
 public:
  Finder(const Graph& graph, const GraphUses& readers, const Node& loss)
      : graph_(graph), readers_(readers), loss_(loss), logits_(loss.operands[0]) {}

  // Says why not in `obstacle`, where gradients are taken at all.
  std::optional<Replacement> find(std::string& obstacle) {
    const Node* made = graph_.producer(logits_);
    if (made == nullptr || (made->op != &ops::linear && made->op != &ops::matmul)) return {};
    const OpView product(graph_, *made);
    if (graph_.type(logits_).dtype == DType::bf16) return {};
    if (made->op == &ops::linear ? product.text("activation") != "none" || product.has("residual")
                                 : product.flag("transpose_a") || product.operand(1).rank() != 2)
      return {};
    x_ = made->operands[0], w_ = made->operands[1];
    transposed_ = product.flag("transpose_b");
    if (made->op == &ops::linear && product.has("bias")) bias_ = made->operands[2];
    const Node* const grad = gradient();
    if (grad == nullptr) return {};
    found_.nodes = {number(loss_), number(*made), number(*grad)};
    found_.outputs = {loss_.results[0]};
    if (readers_.of(logits_).size() != 2 || readers_.of(loss_.results[1]).size() != 1) {
      obstacle = concat("scores ", graph_.display_name(logits_), " are read elsewhere too");
      return {};
    }
    if (!take_gradients(grad->results[0])) {
      obstacle = concat("the gradient of scores ", graph_.display_name(logits_),
                        " is read by what is no gradient of their product");
      return {};
    }
    const Value dloss = grad->operands[0];
    if (readers_.depends(dloss, found_.nodes)) {
      obstacle = "what the loss's gradient starts from depends on the loss";
      return {};
    }
    const Values weights(loss_.operands.begin() + 2, loss_.operands.end());
    found_.inputs = {dloss, x_, w_, loss_.operands[1]};
    if (bias_.valid()) found_.inputs.push_back(bias_);
    found_.inputs.insert(found_.inputs.end(), weights.begin(), weights.end());
    std::vector<Shape> shapes;
    for (const Value v : found_.outputs) shapes.push_back(graph_.type(v).shape);
    found_.build = [dloss, weights, shapes, labels = loss_.operands[1], x = x_, w = w_,
                    bias = bias_, transposed = transposed_, wanted = wanted_,
                    attrs = loss_.attrs](Rewriter& r) {
      Attrs all = attrs;
      all.set("transpose_b", transposed);
      all.set("wanted", wanted);
      const Values made =
          r.builder.emit_all(ops::linear_cross_entropy,
                             {{r(dloss)},
                              {r(x)},
                              {r(w)},
                              {r(labels)},
                              bias.valid() ? Values{r(bias)} : Values{},
                              weights.empty() ? Values{} : Values{r(weights[0])}},  // at most one
                             all);
      Values results;
      for (size_t i = 0; i < made.size(); ++i)
        results.push_back(r.builder.reshape(made[i], shapes[i]));
      return results;
    };
    return found_;
  }

 private:
  int number(const Node& node) const { return static_cast<int>(&node - graph_.nodes().data()); }

  // The adjoint with this loss's labels, weights and log-sum-exp; null: none.
  const Node* gradient() const {
    for (const int n : readers_.of(loss_.results[1])) {
      if (n < 0) continue;
      const Node& node = graph_.nodes()[static_cast<size_t>(n)];
      if (node.op == &ops::softmax_cross_entropy_grad && node.operands[1] == logits_ &&
          node.operands[2] == loss_.operands[1] && node.operands[3] == loss_.results[1] &&
          std::equal(node.operands.begin() + 4, node.operands.end(), loss_.operands.begin() + 2,
                     loss_.operands.end()) &&
          node.attrs == loss_.attrs)
        return &node;
    }
    return nullptr;
  }

  // Rows flattened or not, the same elements.
  Value flat(Value v) const {
    const Node* made = graph_.producer(v);
    return made != nullptr && made->op == &ops::reshape &&
                   graph_.type(v).dim(-1) == graph_.type(made->operands[0]).dim(-1)
               ? flat(made->operands[0])
               : v;
  }

  // Is every reader of the scores' gradient a gradient of x, w or bias, each at most once?
  bool take_gradients(Value dlogits) {
    for (const int n : readers_.of(dlogits)) {
      if (n < 0) return false;
      const Node& node = graph_.nodes()[static_cast<size_t>(n)];
      if (node.op == &ops::reshape && flat(node.results[0]) == flat(dlogits)) {
        found_.nodes.push_back(n);
        if (!take_gradients(node.results[0])) return false;
        continue;
      }
      const std::string name = operand_of(node);
      if (name.empty() || std::find(wanted_.begin(), wanted_.end(), name) != wanted_.end())
        return false;
      wanted_.push_back(name);
      found_.outputs.push_back(node.results[0]);
      found_.nodes.push_back(n);
    }
    return true;
  }

  // Whose gradient a reader of the scores' gradient makes; empty: nobody's.
  std::string operand_of(const Node& node) const {
    const OpView op(graph_, node);
    if (node.op == &ops::sum) {
      std::vector<int64_t> axes = op.axes();
      std::sort(axes.begin(), axes.end());
      const int rows = op.operand(0).rank() - 1;
      bool all = static_cast<int>(axes.size()) == rows;
      for (int i = 0; i < rows && all; ++i) all = axes[static_cast<size_t>(i)] == i;
      return all && bias_.valid() && !op.flag("keep") ? "bias" : "";
    }
    if (node.op != &ops::matmul) return "";
    const bool ta = op.flag("transpose_a"), tb = op.flag("transpose_b");
    if (node.operands[1] == w_ && !ta && tb != transposed_) return "x";
    const Value of_x = node.operands[transposed_ ? 1 : 0];
    return ta && !tb && op.operand(0).rank() == 2 && op.operand(1).rank() == 2 &&
                   flat(of_x) == flat(x_)
               ? "w"
               : "";
  }

  const Graph& graph_;
  const GraphUses& readers_;
  const Node& loss_;
  const Value logits_;
  Value x_, w_, bias_;
  bool transposed_ = false;
  Texts wanted_;
  Replacement found_;
};

}  // namespace

Graph fuse_linear_cross_entropy(const Graph& graph, PassContext& context) {
  const GraphUses readers(graph);
  std::vector<Replacement> all;
  for (const Node& node : graph.nodes()) {
    if (node.op != &ops::softmax_cross_entropy) continue;
    std::string obstacle;
    if (auto found = Finder(graph, readers, node).find(obstacle)) {
      context.done(kName, concat(where(node), ": loss and ", found->outputs.size() - 1,
                                 " gradients of the product before it became one op"));
      all.push_back(std::move(*found));
    } else if (!obstacle.empty()) {
      context.near_miss(kName, concat(where(node), ": ", obstacle));
    }
  }
  return all.empty() ? graph : replace_all(graph, std::move(all));
}

}  // namespace weft::ir
