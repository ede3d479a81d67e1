// ir/passes/fuse/fuse_norm.cpp -- mean, variance and their root become layer norm or RMS norm.
#include "ir/passes/fuse/fuse_norm.h"

#include "ir/error.h"
#include "ir/passes/clean/simplifier.h"
#include "ir/rewrite/pattern.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace weft::ir {
namespace {

constexpr double kRounding = 0x1p-24;  // of a factor written as a float

class NormFinder {
 public:
  NormFinder(const GraphUses& readers, PassContext& context) : r_(readers), context_(context) {}

  // Looks around one rsqrt, or one sqrt that is divided by.
  std::optional<Replacement> find(const Node& root, int index) {
    reason_.clear();
    nodes_ = {index};
    root_ = root.results[0];
    const bool divides = root.op == &ops::sqrt;
    const Node* e = r_.producer(root.operands[0], ops::add);
    const auto eps = e != nullptr ? r_.scalar(e->operands[1]) : std::nullopt;
    if (!eps) return std::nullopt;
    const std::optional<Value> squares = mean_of(e->operands[0]);
    const Node* square = squares ? r_.producer(*squares, ops::mul) : nullptr;
    if (square == nullptr || square->operands[0] != square->operands[1])
      return reason_.empty() ? std::nullopt : miss(root, reason_);
    take(*e), take(*square);
    if (!(*eps > 0)) return miss(root, concat("its eps is ", *eps));

    // The centred row, or the row itself.
    const Value c = square->operands[0];
    Value x = c;
    bool centred = false;
    if (const Node* difference = r_.producer(c, ops::sub)) {
      const std::optional<Value> meant = mean_of(difference->operands[1]);
      if (meant && *meant == difference->operands[0]) {
        centred = true;
        x = *meant;
        take(*difference);
      }
    }
    reason_.clear();

    const Node* product = reader_with(root_, divides ? ops::div : ops::mul, c);
    if (product == nullptr)
      return miss(root,
                  concat("what multiplies by it is not ", named(c), ", whose squares it is of"));
    take(*product);
    Value y = product->results[0], scale, shift;
    extend(y, ops::mul, x, scale);
    if (centred) extend(y, ops::add, x, shift);  // rms_norm has none
    if (!only_inside(y)) return miss(root, reason_);
    return replacement(root, x, scale, shift, y, centred, *eps);
  }

 private:
  void take(const Node& node) { nodes_.push_back(r_.graph->info(node.results[0]).node); }
  Shape shape(Value v) const { return r_.graph->type(v).shape; }
  std::string named(Value v) const {
    const Node* p = r_.producer(v);
    return r_.graph->display_name(v) +
           (p != nullptr && p->from.loc.known() ? ", made at " + p->from.loc.str() : "");
  }

  std::optional<Replacement> miss(const Node& root, const std::string& why) {
    context_.near_miss("fuse_norm", concat(where(root), ": ", root.op->name, " ",
                                           r_.graph->display_name(root_), " is not fused: ", why));
    return std::nullopt;
  }

  // v is the mean over the last axis, kept, of what is returned; its nodes are taken.
  std::optional<Value> mean_of(Value v) {
    const size_t before = nodes_.size();
    const Node* n = r_.producer(v);
    double factor = 1;
    while (n != nullptr && (n->op == &ops::reshape || n->op == &ops::mul)) {
      if (n->op == &ops::mul) {  // a sum times 1/width
        const auto by = r_.scalar(n->operands[1]);
        if (!by) return undone(before);
        factor *= *by;
      } else if (without_ones(shape(n->operands[0])) != without_ones(shape(n->results[0]))) {
        return undone(before);
      }  // else a mean that is not kept, and put back
      take(*n);
      n = r_.producer(n->operands[0]);
    }
    if (n == nullptr || (n->op != &ops::mean && n->op != &ops::sum)) return undone(before);
    const Value x = n->operands[0];
    const auto width = shape(x).empty() ? std::nullopt : shape(x).back().constant();
    const bool is_mean =
        n->op == &ops::mean
            ? factor == 1
            : width && std::fabs(factor * static_cast<double>(*width) - 1) < kRounding;
    if (!is_mean) return undone(before);
    if (r_.view(*n).integers("axes") != Integers{-1}) {
      reason_ = concat("it normalises over axes of ", named(x), " other than the last alone");
      return undone(before);
    }
    Shape kept = shape(x);
    kept.back() = Dim(1);
    if (shape(v) != kept) return undone(before);
    take(*n);
    return x;
  }
  std::optional<Value> undone(size_t before) {
    nodes_.resize(before);
    return std::nullopt;
  }

  // The only reader of v, if it is such an op and its other operand is `with`.
  const Node* reader_with(Value v, const OpDef& op, Value with) const {
    for (const int reader : r_.of(v)) {
      if (reader < 0) continue;
      const Node& n = r_.graph->nodes()[static_cast<size_t>(reader)];
      if (n.op != &op) continue;
      if (n.operands[0] == with && n.operands[1] == v) return &n;
      if (op.commutative && n.operands[0] == v && n.operands[1] == with) return &n;
    }
    return nullptr;
  }

  // y = op(y, vector), where nothing else reads y.
  void extend(Value& y, const OpDef& op, Value x, Value& vector) {
    if (!r_.one(y) || r_.of(y)[0] < 0) return;
    const Node& n = r_.graph->nodes()[static_cast<size_t>(r_.of(y)[0])];
    if (n.op != &op || n.operands[0] == n.operands[1]) return;
    const Value other = n.operands[n.operands[0] == y ? 1 : 0];
    if (shape(other) != Shape{shape(x).back()} || shape(x).size() < 2) return;
    vector = other;
    y = n.results[0];
    take(n);
  }

  // Does nothing but the pattern read what is inside?
  bool only_inside(Value y) {
    for (const int n : nodes_) {
      const Value v = r_.graph->nodes()[static_cast<size_t>(n)].results[0];
      if (v == y) continue;
      for (const int reader : r_.of(v)) {
        if (reader >= 0 && std::find(nodes_.begin(), nodes_.end(), reader) != nodes_.end())
          continue;
        reason_ = concat(
            named(v), " is read elsewhere, by ",
            reader < 0 ? "a result of the graph"
                       : concat("'", r_.graph->nodes()[static_cast<size_t>(reader)].op->name, "'"));
        return false;
      }
    }
    return true;
  }

  Replacement replacement(const Node& root, Value x, Value scale, Value shift, Value y,
                          bool centred, double eps) {
    Replacement r;
    r.outputs = {y};
    for (const Value v : {x, scale, shift})
      if (v.valid()) r.inputs.push_back(v);
    r.nodes = nodes_;
    const auto group = [](Rewriter& rw, Value v) { return v.valid() ? Values{rw(v)} : Values{}; };
    r.build = [=](Rewriter& rw) {
      OperandGroups groups{{rw(x)}, group(rw, scale)};
      if (centred) groups.push_back(group(rw, shift));
      return rw.builder.emit_all(centred ? ops::layer_norm : ops::rms_norm, groups, {{"eps", eps}});
    };
    context_.done("fuse_norm",
                  concat(where(root), ": ", r_.graph->display_name(root_), " and ",
                         nodes_.size() - 1, " more became ", centred ? "layer_norm" : "rms_norm",
                         scale.valid() ? " with scale" : "", shift.valid() ? " and shift" : ""));
    return r;
  }

  const GraphUses& r_;
  PassContext& context_;
  Value root_;
  std::vector<int> nodes_;
  std::string reason_;
};

Graph fused(const Graph& graph, PassContext& context) {
  const auto is_root = [](const Node& n) { return n.op == &ops::rsqrt || n.op == &ops::sqrt; };
  if (std::none_of(graph.nodes().begin(), graph.nodes().end(), is_root)) return graph;
  const GraphUses readers(graph);
  NormFinder finder(readers, context);
  std::vector<Replacement> found;
  for (size_t n = 0; n < graph.nodes().size(); ++n)
    if (is_root(graph.nodes()[n]))
      if (auto r = finder.find(graph.nodes()[n], static_cast<int>(n)))
        found.push_back(std::move(*r));
  return replace_all(graph, std::move(found));
}

}  // namespace

Graph fuse_norm(const Graph& graph, PassContext& context) {
  return with_regions(graph, [&](const Graph& g) { return fused(g, context); });
}

}  // namespace weft::ir
