// ir/passes/fuse/merge_matmuls.cpp -- products of one value with several weights become one.
#include "ir/passes/fuse/merge_matmuls.h"

#include "ir/error.h"
#include "ir/passes/loops/regions.h"
#include "ir/rewrite/pattern.h"

#include <algorithm>
#include <map>

namespace weft::ir {
namespace {

constexpr int64_t kManyRows = 64;

class Merger {
 public:
  // `variables`: how many of the first arguments change from step to step (carries, scanned
  // inputs).
  Merger(const Graph& graph, PassContext& context, bool in_loop, int variables)
      : graph_(graph),
        readers_(graph),
        context_(context),
        in_loop_(in_loop),
        weight_(static_cast<size_t>(graph.value_count())) {
    for (size_t i = 0; i < graph.arguments().size(); ++i)
      weight_[static_cast<size_t>(graph.arguments()[i].value.id)] =
          static_cast<int>(i) >= variables && graph.type(graph.arguments()[i].value).rank() <= 2;
    for (const Node& n : graph.nodes())
      if (n.op == &ops::slice || n.op == &ops::transpose || n.op == &ops::concat ||
          n.op == &ops::neg || n.op == &ops::reshape || n.op == &ops::cast)
        weight_[static_cast<size_t>(n.results[0].id)] =
            std::all_of(n.operands.begin(), n.operands.end(),
                        [&](Value v) { return weight_[static_cast<size_t>(v.id)] != 0; });
  }

  Graph run() {
    std::map<std::pair<Value, bool>, std::vector<int>> groups;
    for (size_t n = 0; n < graph_.nodes().size(); ++n)
      if (const Node& node = graph_.nodes()[n]; is_product(node) && pays(node))
        groups[{node.operands[0], OpView(graph_, node).flag("transpose_b")}].push_back(
            static_cast<int>(n));
    std::vector<Replacement> found;
    for (const auto& [key, nodes] : groups)
      if (nodes.size() > 1) found.push_back(merged(key.first, key.second, nodes));
    return replace_all(graph_, std::move(found));
  }

 private:
  bool is_product(const Node& n) const {
    if (n.op != &ops::matmul || OpView(graph_, n).flag("transpose_a")) return false;
    const Value w = n.operands[1];
    return graph_.type(w).rank() == 2 && weight_[static_cast<size_t>(w.id)] != 0;
  }
  bool pays(const Node& product) const {
    const TensorType& t = graph_.type(product.operands[0]);
    const auto rows = t.dim(0).constant();
    const Node* sum = biased(product.results[0]);
    return in_loop_ || ((t.rank() >= 3 || (rows && *rows >= kManyRows)) &&
                        read_in_place(sum != nullptr ? sum->results[0] : product.results[0]));
  }
  // Do all readers take columns of something wider as well?
  bool read_in_place(Value v) const {
    const auto& list = readers_.of(v);
    return std::all_of(list.begin(), list.end(), [&](int n) {
      if (n < 0) return false;
      const OpDef* op = graph_.nodes()[static_cast<size_t>(n)].op;
      return op == &ops::attention || op == &ops::reshape || op == &ops::transpose ||
             op == &ops::slice;
    });
  }

  // The sum of a product and a bias that nothing else reads the product for, or null.
  const Node* biased(Value product) const {
    const auto& list = readers_.of(product);
    if (list.size() != 1 || list[0] < 0) return nullptr;
    const Node& n = graph_.nodes()[static_cast<size_t>(list[0])];
    if (n.op != &ops::add) return nullptr;
    const Value bias = n.operands[n.operands[0] == product ? 1 : 0];
    const bool vector = weight_[static_cast<size_t>(bias.id)] != 0 &&
                        graph_.type(bias).shape == Shape{graph_.type(product).dim(-1)};
    return vector ? &n : nullptr;
  }

  Replacement merged(Value x, bool transposed, const std::vector<int>& nodes) {
    Replacement r;
    r.inputs = {x};
    r.nodes = nodes;
    Values weights, biases;  // an invalid bias: none
    std::vector<Dim> widths;
    bool any_bias = false;
    for (const int n : nodes) {
      const Value product = graph_.nodes()[static_cast<size_t>(n)].results[0];
      const Node* sum = biased(product);
      r.outputs.push_back(sum != nullptr ? sum->results[0] : product);
      if (sum != nullptr) r.nodes.push_back(graph_.info(sum->results[0]).node);
      biases.push_back(sum == nullptr ? Value{}
                                      : sum->operands[sum->operands[0] == product ? 1 : 0]);
      any_bias |= sum != nullptr;
      weights.push_back(graph_.nodes()[static_cast<size_t>(n)].operands[1]);
      widths.push_back(graph_.type(product).dim(-1));
    }
    r.inputs.insert(r.inputs.end(), weights.begin(), weights.end());
    for (const Value v : biases)
      if (v.valid()) r.inputs.push_back(v);
    r.build = [x, transposed, weights, biases, any_bias, widths](Rewriter& rw) {
      Builder& b = rw.builder;
      Value m = b.matmul(rw(x), b.concat(rw(weights), transposed ? -2 : -1), false, transposed);
      if (any_bias) {
        Values vectors;
        for (size_t i = 0; i < biases.size(); ++i)
          vectors.push_back(biases[i].valid() ? rw(biases[i])
                                              : b.zeros({b.type(m).dtype, {widths[i]}}));
        m = b.add(m, b.concat(vectors, -1));
      }
      Values parts;
      Dim at = 0;
      for (const Dim& width : widths) {
        parts.push_back(b.slice(m, -1, at, at + width));
        at = at + width;
      }
      return parts;
    };
    context_.done("merge_matmuls",
                  concat(where(graph_.nodes()[static_cast<size_t>(nodes[0])]), ": ", nodes.size(),
                         " products of ", graph_.display_name(x), " became one"));
    return r;
  }

  const Graph& graph_;
  const GraphUses readers_;
  PassContext& context_;
  bool in_loop_;
  std::vector<char> weight_;
};

// concat(matmul(x, W1), matmul(x, W2), ...) along the columns, each read by the concat alone.
Graph merged_concats(const Graph& graph, PassContext& context) {
  const GraphUses readers(graph);
  std::vector<Replacement> found;
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    if (node.op != &ops::concat || node.operands.size() < 2 ||
        readers.view(node).integer("axis") != -1)
      continue;
    const Node* first = readers.producer(node.operands[0], ops::matmul);
    Replacement r;
    Values weights;
    for (const Value v : node.operands) {
      const Node* m = readers.producer(v, ops::matmul);
      if (first == nullptr || m == nullptr || m->operands[0] != first->operands[0] ||
          m->attrs != first->attrs || !readers.one(v) || graph.type(m->operands[1]).rank() != 2)
        break;
      weights.push_back(m->operands[1]);
      r.nodes.push_back(graph.info(v).node);
    }
    if (weights.size() != node.operands.size()) continue;
    r.nodes.insert(r.nodes.begin(), static_cast<int>(n));
    r.outputs = {node.results[0]};
    r.inputs = weights;
    r.inputs.push_back(first->operands[0]);
    const bool ta = readers.view(*first).flag("transpose_a"),
               tb = readers.view(*first).flag("transpose_b");
    r.build = [x = first->operands[0], weights, ta, tb](Rewriter& rw) {
      return Values{rw.builder.matmul(rw(x), rw.builder.concat(rw(weights), tb ? -2 : -1), ta, tb)};
    };
    context.done("merge_matmuls", concat(where(node), ": ", weights.size(), " products of ",
                                         graph.display_name(first->operands[0]), " became one"));
    found.push_back(std::move(r));
  }
  return replace_all(graph, std::move(found));
}

}  // namespace

Graph merge_matmuls(const Graph& graph, PassContext& context) {
  return with_owned_regions(graph, [&](const Graph& g, const Node* owner) {
    const bool any = std::count_if(g.nodes().begin(), g.nodes().end(),
                                   [](const Node& n) { return n.op == &ops::matmul; }) > 1;
    if (!any) return g;
    const bool loop = owner != nullptr && owner->op == &ops::scan;
    const Graph joined = merged_concats(g, context);
    return Merger(joined, context, loop, loop ? owner->group_sizes[0] + owner->group_sizes[1] : 0)
        .run();
  });
}

}  // namespace weft::ir
