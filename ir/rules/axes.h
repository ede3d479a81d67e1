// ir/rules/axes.h -- which axes of a graph are the same axis, judged by what its ops do with them.
//
// Equal sizes say little: in f32[4,4] one may be the batch and the other a width. Two axes are the
// same where some op needs them to be (the contracted axes of a matmul, the rows of a sum and of
// its operands) or hands one on (a transpose). An op's rule says so by the roles of its operands:
//
//   {.op = &ops::softmax_cross_entropy, .signature = "logits:*v labels:* weights:* -> * *", ...}
//
// `*` stands for any number of leading axes, the same ones wherever it stands, a letter for an
// axis, `3h` for one of three times the size of h, `{size:s}` for an attribute that is the size s;
// absent operands are passed over, and surplus results. Ops whose roles depend on their attributes
// have a function. An op without a rule has its axes fixed: they are then what their sizes say.
#pragma once
#include "ir/graph.h"

#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::ir {

using Axis = int;  // a number in AxisSolver
using AxisList = std::vector<Axis>;

// Classes of axes that are the same, some of them made of others (3*h, B*T).
class AxisSolver {
 public:
  Axis fresh(const Dim& size);  // the same as nothing yet; `size` is what the graph says
  Axis fixed(const Dim& size);  // stands for that size and no other
  Axis made(const Dim& of, const Dim& size);  // `of` is in terms of other axes
  void same(Axis a, Axis b);
  void same(const AxisList& a, const AxisList& b);
  void fix(Axis a);

  Dim term(Axis a) const;  // to make others of
  const Dim& size(Axis a) const { return axes_[static_cast<size_t>(a)].size; }
  // In terms of classes: symbols that `class_of` knows.
  Dim resolved(Axis a) const { return resolved(term(a)); }
  Dim resolved(const Dim& of) const;
  std::vector<Axis> classes_of(const Dim& resolved) const;
  static std::string symbol_of(Axis class_);
  bool is_fixed(Axis a) const { return classes_of(resolved(a)).empty(); }
  int count() const { return static_cast<int>(axes_.size()); }
  Axis root(Axis a) const;

 private:
  struct Class {
    Dim size;
    mutable Axis parent;
    std::optional<Dim> made;
  };
  void equate(const Dim& a, const Dim& b);
  void fix_all(const Dim& resolved);
  std::vector<Class> axes_;
};

// A node and the axes of its operands; a rule says what those of its results are.
struct NodeAxes {
  OpView op;
  AxisSolver& solver;
  std::vector<AxisList> operands;
  std::vector<AxisList> results = {};
  // Attributes of sizes, as axes (a `dim` is a list of one), where they are not fixed.
  std::vector<std::pair<std::string, AxisList>> attrs = {};

  bool has(std::string_view name) const {
    return op.def().operand_index(name) >= 0 && op.count(name) > 0;
  }
  const AxisList& operand(std::string_view name) const {
    return operands[static_cast<size_t>(op.position(name))];
  }
  // The axes of a `dim` or `shape` attribute, new ones; they become what it says.
  Axis new_dim(std::string_view attr);
  AxisList new_shape(std::string_view attr);
  // Broadcast against each other from the right.
  AxisList broadcast(const std::vector<AxisList>& lists);
  // Those of `x` may be repeated to `to`.
  void broadcasts_to(const AxisList& x, const AxisList& to);
  void results_of_wanted();  // each as the operand of that name
  void sign(std::string_view signature);
};

// The axes of a node's results, by the rule of its op (op_rules.h). False: there is none.
bool solve_axes(NodeAxes& node);

}  // namespace weft::ir
