// autodiff/recomputed.cpp -- a graph that computes parts of its forward pass twice, to keep less.
#include "autodiff/residuals.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/shape.h"
#include "ir/rewrite/rewrite.h"
#include "ir/rules/op_rules.h"

#include <algorithm>
#include <limits>
#include <map>

namespace weft::autodiff {
namespace {

using ir::Graph;
using ir::Node;
using ir::Part;
using ir::Value;

// Less is not worth a kernel.
constexpr double kLeastBytes = 16384;

class Recomputation {
 public:
  Recomputation(const Graph& graph, const ResidualPolicy& policy)
      : graph_(graph),
        uses_(ir::uses(graph)),
        last_read_(static_cast<size_t>(graph.value_count()), -1) {
    for (size_t n = 0; n < graph.nodes().size(); ++n)
      if (is_forward(n)) forward_.push_back(static_cast<int>(n));
    for (size_t i = 0; i < forward_.size(); ++i)
      for (const Value v : node(forward_[i]).operands) last_read_[index(v)] = static_cast<int>(i);
    for (const ir::Output& o : graph.outputs())
      last_read_[index(o.value)] = static_cast<int>(forward_.size());
    position_.assign(graph.nodes().size(), -1);
    for (size_t i = 0; i < forward_.size(); ++i)
      position_[static_cast<size_t>(forward_[i])] = static_cast<int>(i);
    cut(policy.segments);
    light_.resize(static_cast<size_t>(graph.value_count()));
    if (policy.recompute_moves) find_moves();
  }

  Graph run() {
    if (cuts_.empty() && std::none_of(light_.begin(), light_.end(), [](bool l) { return l; }))
      return graph_;
    ir::Rewriter r(graph_);
    for (size_t n = 0; n < graph_.nodes().size(); ++n) {
      const Node& next = graph_.nodes()[n];
      if (is_forward(n)) {
        r.copy(next);
        continue;
      }
      ir::Values operands;
      for (const Value v : next.operands) operands.push_back(again(r, v));
      const ir::Values results = r.builder.graph().add_copy(graph_, next, operands);
      for (size_t i = 0; i < results.size(); ++i) r.replace(next.results[i], results[i]);
    }
    return r.finish();
  }

 private:
  static size_t index(Value v) { return static_cast<size_t>(v.id); }
  const Node& node(int n) const { return graph_.nodes()[static_cast<size_t>(n)]; }
  bool is_forward(size_t n) const { return graph_.nodes()[n].from.part == Part::forward; }
  // Where a value is made among the forward nodes; -1: an argument, or not forward.
  int made_at(Value v) const {
    const int n = graph_.info(v).node;
    return n < 0 ? -1 : position_[static_cast<size_t>(n)];
  }
  bool read_backward(Value v) const {
    const auto& readers = uses_[index(v)];
    return std::any_of(readers.begin(), readers.end(),
                       [&](int r) { return r >= 0 && !is_forward(static_cast<size_t>(r)); });
  }

  // Cuts lie before forward node `cuts_[k]`: of the nodes near the place where a piece is full, the
  // one before which the fewest bytes are in use.
  void cut(int segments) {
    const size_t n = forward_.size();
    if (segments < 2 || n < 2) return;
    std::vector<double> held(n + 1), crossing(n + 1);
    for (size_t i = 0; i < n; ++i) {
      held[i + 1] = held[i];
      for (const Value v : node(forward_[i]).results) {
        const double bytes = nominal_bytes(graph_.type(v));
        if (read_backward(v)) held[i + 1] += bytes;
        const int last = std::min(last_read_[index(v)], static_cast<int>(n) - 1);
        for (int j = static_cast<int>(i) + 1; j <= last; ++j)
          crossing[static_cast<size_t>(j)] += bytes;
      }
    }
    const double whole = held[n];
    for (int k = 1; k < segments; ++k) {
      const double low = whole * (k - 0.4) / segments, high = whole * (k + 0.4) / segments;
      int best = -1;
      double least = std::numeric_limits<double>::infinity();
      for (size_t i = 1; i < n; ++i)
        if (held[i] >= low && held[i] <= high && crossing[i] < least)
          least = crossing[i], best = static_cast<int>(i);
      if (best > 0 && (cuts_.empty() || best > cuts_.back())) cuts_.push_back(best);
    }
  }

  // Of a value and its views, by nodes in order: the first and the last backward reader.
  struct BackwardReaders {
    int first = std::numeric_limits<int>::max(), last = -1;
  };
  BackwardReaders backward_readers(Value v) const {
    BackwardReaders found;
    for (const int r : uses_[index(v)]) {
      if (r < 0) {
        found.last = static_cast<int>(graph_.nodes().size());
      } else if (ir::ops::is_view(*node(r).op)) {
        const BackwardReaders further = backward_readers(node(r).results[0]);
        found = {std::min(found.first, further.first), std::max(found.last, further.last)};
      } else if (!is_forward(static_cast<size_t>(r))) {
        found = {std::min(found.first, r), std::max(found.last, r)};
      }
    }
    return found;
  }
  Value root(Value v) const {
    const Node* made = graph_.producer(v);
    return made != nullptr && ir::ops::is_view(*made->op) ? root(made->operands[0]) : v;
  }

  // A cast of an argument, which is always there.
  bool is_cast_argument(Value v) const {
    const Node* made = graph_.producer(root(v));
    return made != nullptr && made->op == &ir::ops::cast &&
           graph_.producer(root(made->operands[0])) == nullptr;
  }

  // Light: made by moving memory, and of what is still there when it is first read backward.
  void find_moves() {
    const auto is_light = [](const ir::OpDef& op) {
      const ir::Cost cost = ir::cost_of(op);
      return cost == ir::Cost::copies || cost == ir::Cost::looks_up || cost == ir::Cost::norm;
    };
    for (const int n : forward_) {
      const Node& made = node(n);
      if (ir::ops::is_view(*made.op))
        light_[index(made.results[0])] = light_[index(made.operands[0])];
      if (!is_light(*made.op)) continue;
      const Value v = made.results[0];
      const BackwardReaders readers = backward_readers(v);
      if (readers.last < 0 || nominal_bytes(graph_.type(v)) < kLeastBytes) continue;
      light_[index(v)] = std::all_of(made.operands.begin(), made.operands.end(), [&](Value o) {
        return graph_.producer(root(o)) == nullptr || is_cast_argument(o) ||
               backward_readers(root(o)).last >= readers.first;
      });
    }
  }

  int segment_of(int position) const {
    return static_cast<int>(std::upper_bound(cuts_.begin(), cuts_.end(), position) - cuts_.begin());
  }
  // Kept: arguments, what is made in the last piece (its adjoint comes next) or read in another.
  bool is_kept(Value v) const {
    const int at = made_at(v);
    if (at < 0) return true;
    if (light_[index(v)]) return false;
    const int segment = segment_of(at);
    return segment == static_cast<int>(cuts_.size()) ||
           (last_read_[index(v)] >= 0 &&
            last_read_[index(v)] >= cuts_[static_cast<size_t>(segment)]);
  }

  // What a backward node reads in place of `v`.
  Value again(ir::Rewriter& r, Value v) {
    if (is_kept(v)) return r(v);
    if (const auto it = again_.find(v.id); it != again_.end()) return it->second;
    return made_again(r, v, light_[index(v)]);
  }
  // `casts`: and so are casts of weights, which would be kept instead.
  Value made_again(ir::Rewriter& r, Value v, bool casts) {
    const Node& made = *graph_.producer(v);
    ir::Values operands;
    for (const Value o : made.operands)
      operands.push_back(casts && is_cast_argument(o) ? cast_again(r, o) : again(r, o));
    Node copy = made;
    copy.from.part = Part::backward;
    const ir::Values results = r.builder.graph().add_copy(graph_, copy, operands);
    for (size_t i = 0; i < results.size(); ++i) again_[made.results[i].id] = results[i];
    return again_.at(v.id);
  }

  Value cast_again(ir::Rewriter& r, Value v) {
    const auto it = again_.find(v.id);
    return it != again_.end() ? it->second : made_again(r, v, true);
  }

  const Graph& graph_;
  const std::vector<std::vector<int>> uses_;
  std::vector<int> forward_;    // indexes of forward nodes
  std::vector<int> position_;   // by node: its place among them, or -1
  std::vector<int> last_read_;  // by value: place of the last forward node that reads it; -1: none
  std::vector<int> cuts_;
  std::vector<bool> light_;  // by value
  std::map<int, Value> again_;
};

}  // namespace

Graph recomputed(const Graph& graph, const ResidualPolicy& policy) {
  return Recomputation(graph, policy).run();
}

}  // namespace weft::autodiff
