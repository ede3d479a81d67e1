// autodiff/residuals.cpp -- save or recompute, value by value from the first to the last.
#include "autodiff/residuals.h"

#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::autodiff {
namespace {

using ir::Graph;
using ir::Node;
using ir::Value;
using ir::Values;
namespace ops = ir::ops;

// Moves, repeats or makes elements: recomputing it costs no more than reading what is saved.
bool only_moves(const ir::OpDef& op) {
  return ir::cost_of(op) == ir::Cost::moves || ir::cost_of(op) == ir::Cost::copies;
}
bool is_cheap(const ir::OpDef& op) {
  return op.elementwise || ir::cost_of(op) == ir::Cost::draws ||
         ir::cost_of(op) == ir::Cost::looks_up || only_moves(op);
}

class Decision {
 public:
  Decision(const LoopBody& body, const ResidualPolicy& policy)
      : body_(body),
        graph_(body.joint->graph),
        policy_(policy),
        fate_(static_cast<size_t>(graph_.value_count())),
        invariant_(body.invariant) {
    for (const Value v : body.stacked) stacked_.push_back(v);
    for (const Node& node : graph_.nodes()) {
      bool all = true;
      for (const Value v : node.operands) all = all && invariant_[index(v)];
      for (const Value v : node.results) invariant_[index(v)] = all;
    }
  }

  std::vector<Residual> run() {
    const std::vector<bool> needed = needed_for(graph_, body_.joint->adjoints);
    Values read;
    const auto reads = [&](Value v) {
      if (is_forward(v)) read.push_back(v);
    };
    for (size_t n = static_cast<size_t>(body_.joint->forward_nodes); n < needed.size(); ++n)
      if (needed[n])
        for (const Value v : graph_.nodes()[n].operands) reads(v);
    for (const Value d : body_.joint->adjoints)
      if (d.valid()) reads(d);
    std::sort(read.begin(), read.end());  // operands before what is made of them
    for (const Value v : read) decide(v);
    return fate_;
  }

 private:
  static size_t index(Value v) { return static_cast<size_t>(v.id); }
  bool is_forward(Value v) const { return graph_.info(v).node < body_.joint->forward_nodes; }
  bool stacked_anyway(Value v) const {
    return std::find(stacked_.begin(), stacked_.end(), v) != stacked_.end();
  }
  bool may_recompute(const Node& node) const {
    return is_cheap(*node.op) || (policy_.recompute_contractions && node.regions.empty());
  }
  bool is_decided(Value v) const { return fate_[index(v)] != Residual::unused; }

  void decide(Value v) {
    if (is_decided(v)) return;
    if (body_.free[index(v)]) {
      fate_[index(v)] = Residual::free;
    } else if (graph_.producer(v) == nullptr || stacked_anyway(v) || !worth_recomputing(v)) {
      fate_[index(v)] = Residual::saved;
    } else {
      fate_[index(v)] = Residual::recomputed;
      for (const Value operand : graph_.producer(v)->operands) decide(operand);
    }
  }

  bool worth_recomputing(Value v) const {
    if (invariant_[index(v)]) return true;
    if (!may_recompute(*graph_.producer(v))) return false;
    Values frontier;
    std::vector<bool> seen(fate_.size());
    collect(v, frontier, seen, true);
    double saving = 0;
    for (const Value f : frontier) saving += nominal_bytes(graph_.type(f));
    const double own = nominal_bytes(graph_.type(v));
    // What only moves one saved value is never worth saving besides it.
    const bool view = only_moves(*graph_.producer(v)->op) && frontier.size() == 1;
    return saving == 0 || saving < own * policy_.threshold || (view && saving <= own);
  }

  // What would have to be saved besides, for v to be recomputed.
  void collect(Value v, Values& frontier, std::vector<bool>& seen, bool root = false) const {
    if (seen[index(v)]) return;
    seen[index(v)] = true;
    const Node* node = graph_.producer(v);
    if (body_.free[index(v)] || fate_[index(v)] == Residual::saved || stacked_anyway(v)) return;
    if (fate_[index(v)] == Residual::recomputed && !root) return;
    if (node == nullptr || (!may_recompute(*node) && !invariant_[index(v)])) {
      frontier.push_back(v);
      return;
    }
    for (const Value operand : node->operands) collect(operand, frontier, seen);
  }

  const LoopBody& body_;
  const Graph& graph_;
  ResidualPolicy policy_;
  std::vector<Residual> fate_;
  std::vector<bool> invariant_;
  Values stacked_;
};

}  // namespace

std::vector<Residual> residuals(const LoopBody& body, const ResidualPolicy& policy) {
  return Decision(body, policy).run();
}

std::vector<bool> needed_for(const Graph& graph, const Values& results) {
  std::vector<bool> needed(graph.nodes().size());
  const auto need = [&](Value v) {
    if (v.valid() && graph.info(v).node >= 0)
      needed[static_cast<size_t>(graph.info(v).node)] = true;
  };
  for (const Value v : results) need(v);
  for (size_t n = needed.size(); n-- > 0;)
    if (needed[n])
      for (const Value v : graph.nodes()[n].operands) need(v);
  return needed;
}

double nominal(const ir::Dim& dim) {
  ir::Bindings sizes;
  for (const std::string& symbol : dim.symbols()) sizes[symbol] = 32;
  return static_cast<double>(dim.value(sizes));
}

double nominal_bytes(const ir::TensorType& type) {
  double bytes = ir::bytes(type.dtype);
  for (const ir::Dim& d : type.shape) bytes *= nominal(d);
  return bytes;
}

}  // namespace weft::autodiff
