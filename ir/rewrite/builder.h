// ir/rewrite/builder.h -- appending nodes by name: what passes, derivatives, expansions and the DSL write
// with.
#pragma once
#include "ir/graph.h"
#include "ir/ops/all.h"

#include <string_view>

namespace weft::ir {

class Builder {
 public:
  // Every node emitted gets `from` (a pass sets it to that of the node it replaces).
  explicit Builder(Graph& graph, Provenance from = {}) : from(std::move(from)), graph_(&graph) {}

  Provenance from;

  Graph& graph() const { return *graph_; }
  const TensorType& type(Value v) const { return graph_->type(v); }

  Values emit_all(const OpDef& op, const OperandGroups& groups, Attrs attrs = {},
                  std::vector<Graph> regions = {});
  Value emit(const OpDef& op, const OperandGroups& groups, Attrs attrs = {});  // its first result

  // A rank-0 constant. Elementwise ops broadcast it.
  Value scalar(double value, DType dtype);
  Value integer(int64_t value, DType dtype);           // exactly, where a double would not hold it
  Value filled(double value, const TensorType& type);  // a constant of that shape
  Value zeros(const TensorType& type) { return filled(0, type); }

  Value add(Value a, Value b) { return emit(ops::add, {{a}, {b}}); }
  Value sub(Value a, Value b) { return emit(ops::sub, {{a}, {b}}); }
  Value mul(Value a, Value b) { return emit(ops::mul, {{a}, {b}}); }
  Value div(Value a, Value b) { return emit(ops::div, {{a}, {b}}); }
  Value neg(Value x) { return emit(ops::neg, {{x}}); }
  Value exp(Value x) { return emit(ops::exp, {{x}}); }
  Value log(Value x) { return emit(ops::log, {{x}}); }
  Value sqrt(Value x) { return emit(ops::sqrt, {{x}}); }
  Value tanh(Value x) { return emit(ops::tanh, {{x}}); }
  Value sigmoid(Value x) { return emit(ops::sigmoid, {{x}}); }
  Value select(Value cond, Value a, Value b) { return emit(ops::select, {{cond}, {a}, {b}}); }
  Value cast(Value x, DType dtype);
  Value activation(std::string_view name, Value x);  // "none" is x itself

  Value matmul(Value a, Value b, bool transpose_a = false, bool transpose_b = false);
  Value sum(Value x, Integers axes, bool keep = false);
  Value max(Value x, Integers axes, bool keep = false);
  Value sum_all(Value x);  // over every axis -> rank 0
  Value sum_to(Value x,
               const Shape& shape);  // sums out what broadcasting `shape` to x's shape added
  Value softmax(Value x, int64_t axis = -1) { return emit(ops::softmax, {{x}}, {{"axis", axis}}); }
  Value log_softmax(Value x, int64_t axis = -1) {
    return emit(ops::log_softmax, {{x}}, {{"axis", axis}});
  }

  // These return x itself where there is nothing to do.
  Value reshape(Value x, const Shape& shape);
  Value transpose(Value x, const Integers& perm);
  Value broadcast(Value x, const Shape& shape);
  Value slice(Value x, int64_t axis, const Dim& start, const Dim& stop);
  Value concat(const Values& xs, int64_t axis);

 private:
  Graph* graph_;
};

// The unfused graph of a fused op: arguments named as its operands, results in its order.
class Expansion {
 public:
  explicit Expansion(const OpView& op);
  Value operator[](std::string_view operand) const;
  Values group(std::string_view operand) const;
  Values arguments() const;  // all of them
  Graph finish(const Values& results);

 private:
  const OpView& op_;
  Graph graph_;

 public:
  Builder builder;
};

// Appends copies of all of `inner`'s nodes to `builder`'s graph, its arguments replaced by
// `arguments`; returns what stands for inner's outputs. Nodes get the builder's provenance.
Values inline_graph(Builder& builder, const Graph& inner, const Values& arguments);

}  // namespace weft::ir
