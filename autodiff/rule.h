// autodiff/rule.h -- what the derivative of an op is: a rule from the adjoints of its results to
// those of its operands, written in ordinary ops.
//
//   y = tanh(x)  =>  dx = dy * (1 - y^2)
//
//   const VjpRule tanh{&ir::ops::tanh, [](Vjp& g) -> Grads {
//     const Expr y = g.result(), dy = g.cotangent();
//     return {dy * (1 - y * y)};
//   }};
//
// A rule returns one adjoint for each operand; nothing means zero. It need not ask which operands
// are wanted: what is not is dropped. Of elementwise ops the adjoints are summed to the operands'
// shapes for it. A rule that needs more than operands and results has an `augment`, which rebuilds
// the forward node with extra results.
#pragma once
#include "autodiff/expr.h"
#include "autodiff/policy.h"
#include "ir/check.h"

#include <any>
#include <string_view>
#include <vector>

namespace weft::autodiff {

using Grads = std::vector<ir::Value>;  // by operand; not valid: zero

// What is asked of a node: which operands' adjoints, given those of which results.
class Query {
 public:
  Query(const ir::Graph& graph, const ir::Node& node, std::vector<bool> wanted,
        std::vector<bool> expected, const ResidualPolicy& policy = {})
      : policy(policy),
        op_(graph, node),
        wanted_(std::move(wanted)),
        expected_(std::move(expected)) {}

  ResidualPolicy policy;  // for what has loops in it

  const ir::OpView& op() const { return op_; }  // the node as the user wrote it, before augment
  bool wanted(int operand) const { return wanted_[static_cast<size_t>(operand)]; }
  bool wanted(std::string_view name) const { return op_.has(name) && wanted(op_.position(name)); }
  bool expected(int result) const { return expected_[static_cast<size_t>(result)]; }

 private:
  ir::OpView op_;
  std::vector<bool> wanted_, expected_;
};

// A node being differentiated. Values are those of the graph under construction.
class Vjp : public Query {
 public:
  Vjp(Query query, ir::Builder& builder, ir::Values operands)
      : Query(std::move(query)), builder(builder), operands_(std::move(operands)) {}

  ir::Builder& builder;

  Expr operand(int i = 0) const { return {builder, operands_[static_cast<size_t>(i)]}; }
  Expr operand(std::string_view name) const { return operand(op().position(name)); }
  ir::Values optional(std::string_view name) const {  // as an operand group
    return op().has(name) ? ir::Values{operand(name)} : ir::Values{};
  }
  const ir::Values& operands() const { return operands_; }
  // The op's own results, then those that augment added. Not during augment.
  Expr result(int i = 0) const { return {builder, results_[static_cast<size_t>(i)]}; }
  const std::any& kept() const { return kept_; }

  bool has_cotangent(int i = 0) const { return cotangents_[static_cast<size_t>(i)].valid(); }
  Expr cotangent(int i = 0) const { return {builder, cotangents_[static_cast<size_t>(i)]}; }
  Expr cotangent_or_zero(int i) const {
    return has_cotangent(i) ? cotangent(i) : Expr(builder, builder.zeros(op().result(i)));
  }
  Expr zeros(const ir::TensorType& type) const {
    return {builder, builder.zeros(ir::TensorType(type))};
  }
  Grads none() const { return Grads(operands_.size()); }

  // For the sweep.
  void set_forward(ir::Values results, std::any kept) {
    results_ = std::move(results);
    kept_ = std::move(kept);
  }
  void set_cotangents(ir::Values cotangents) { cotangents_ = std::move(cotangents); }

 private:
  ir::Values operands_, results_, cotangents_;
  std::any kept_;
};

// The forward node rebuilt: the op's own results first, then extra ones; and anything else that the
// adjoint will want to know.
struct Augmented {
  ir::Values results;
  std::any kept;
};

enum class Derivative : uint8_t {
  rule,
  zero,               // piecewise constant, or between things that have no derivative
  through_expansion,  // that of the op's expansion
  none,               // asking for it is an error
};

struct VjpRule {
  const ir::OpDef* op = nullptr;
  Grads (*adjoint)(Vjp&) = nullptr;
  Augmented (*augment)(Vjp&) = nullptr;
  // Questions that the rule leaves to the op's expansion.
  bool (*expands)(const Query&) = nullptr;
  Derivative kind = Derivative::rule;
};

constexpr VjpRule zero_gradient(const ir::OpDef& op) {
  return {&op, nullptr, nullptr, nullptr, Derivative::zero};
}
constexpr VjpRule not_differentiable(const ir::OpDef& op) {
  return {&op, nullptr, nullptr, nullptr, Derivative::none};
}
constexpr VjpRule through_expansion(const ir::OpDef& op) {
  return {&op, nullptr, nullptr, nullptr, Derivative::through_expansion};
}

}  // namespace weft::autodiff
