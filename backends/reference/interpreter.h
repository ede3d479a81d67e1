// backends/reference/interpreter.h -- walks a graph and evaluates its nodes, one after the other.
//
// The graph is walked as it is, symbols and all, under bindings, and not after specialisation:
// which carries of a scan are rows is a matter of their type (f32[H] is no row of B, even if H = B
// = 4).
#pragma once
#include "backends/reference/eval/tensor.h"
#include "ir/graph.h"

#include <unordered_map>

namespace weft::backends::reference {

class Interpreter {
 public:
  explicit Interpreter(ir::Bindings bindings) : bindings_(std::move(bindings)) {}

  // Values of the outputs. Graphs must stay where they are as long as the interpreter lives.
  Tensors run(const ir::Graph& graph, const Tensors& arguments);
  // Values of everything in the graph, at the place of their id.
  Tensors run_values(const ir::Graph& graph, const Tensors& arguments);

 private:
  Tensors results(const ir::Graph& graph, const ir::Node& node, const Tensors& operands);

  ir::Bindings bindings_;
  std::unordered_map<const ir::Node*, ir::Graph> expansions_;  // of fused ops, made once
};

// Arguments as tensors. Throws GraphError where an array is not of its argument's type; an argument
// of float type takes an array of any float dtype.
Tensors read_arguments(const ir::Graph& graph, const ir::Bindings& bindings,
                       std::span<const ir::Array> arguments);

}  // namespace weft::backends::reference
