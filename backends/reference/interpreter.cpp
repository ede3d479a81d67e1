// backends/reference/interpreter.cpp -- evaluation of graphs.
#include "backends/reference/interpreter.h"

#include "backends/backend.h"
#include "backends/reference/eval/table.h"
#include "backends/reference/reference.h"
#include "ir/check.h"
#include "ir/rewrite/rewrite.h"

namespace weft::backends::reference {
namespace {

size_t index(ir::Value v) { return static_cast<size_t>(v.id); }

ir::Array as_array(const Tensor& x, ir::DType dtype) {
  ir::Array array(ir::is_float(dtype) ? ir::DType::f64 : dtype, x.dims());
  to_array(x, array);
  return array;
}

}  // namespace

Tensors Interpreter::run(const ir::Graph& graph, const Tensors& arguments) {
  const Tensors values = run_values(graph, arguments);
  Tensors outputs;
  for (const ir::Output& output : graph.outputs()) outputs.push_back(values[index(output.value)]);
  return outputs;
}

Tensors Interpreter::run_values(const ir::Graph& graph, const Tensors& arguments) {
  WEFT_CHECK(arguments.size() == graph.arguments().size());
  Tensors values(static_cast<size_t>(graph.value_count()));
  for (size_t i = 0; i < arguments.size(); ++i)
    values[index(graph.arguments()[i].value)] = arguments[i];
  for (const ir::Node& node : graph.nodes()) {
    Tensors operands;
    for (const ir::Value v : node.operands) operands.push_back(values[index(v)]);
    const Tensors made = results(graph, node, operands);
    WEFT_CHECK(made.size() == node.results.size());
    for (size_t i = 0; i < made.size(); ++i) {
      const ir::TensorType& type = graph.type(node.results[i]);
      WEFT_CHECK(made[i].dims() == ir::values(type.shape, bindings_));
      WEFT_CHECK(made[i].is_float() == ir::is_float(type.dtype));
      values[index(node.results[i])] = made[i];
    }
  }
  return values;
}

Tensors Interpreter::results(const ir::Graph& graph, const ir::Node& node,
                             const Tensors& operands) {
  const OpView op(graph, node);
  const auto run_region = [this](const ir::Graph& region, const Tensors& in) {
    return run(region, in);
  };
  if (const Evaluation* evaluation = find_evaluation(*node.op))
    return evaluation->results({op, operands, bindings_, run_region});
  WEFT_CHECK(node.op->expand != nullptr);
  auto expansion = expansions_.find(&node);
  if (expansion == expansions_.end())
    expansion = expansions_.emplace(&node, node.op->expand(op)).first;
  return run(expansion->second, operands);
}

Tensors read_arguments(const ir::Graph& graph, const ir::Bindings& bindings,
                       std::span<const ir::Array> arguments) {
  infer_bindings(graph, arguments, bindings);  // throws where sizes do not fit
  Tensors tensors;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const ir::Value value = graph.arguments()[i].value;
    const ir::DType want = graph.type(value).dtype, have = arguments[i].dtype();
    if (have != want && !(ir::is_float(have) && ir::is_float(want)))
      throw ir::GraphError(ir::concat("argument ", graph.display_name(value), " is ",
                                      graph.type(value), ", found an array of ", ir::name(have)));
    tensors.push_back(from_array(arguments[i]));
  }
  return tensors;
}

std::vector<ir::Array> evaluate(const ir::Graph& graph, const std::vector<ir::Array>& arguments,
                                const ir::Bindings& bindings) {
  const ir::Bindings bound = infer_bindings(graph, arguments, bindings);
  ir::specialize(graph, bound);  // throws where rules break with these sizes
  const Tensors outputs = Interpreter(bound).run(graph, read_arguments(graph, bound, arguments));
  std::vector<ir::Array> arrays;
  for (size_t i = 0; i < outputs.size(); ++i)
    arrays.push_back(as_array(outputs[i], graph.type(graph.outputs()[i].value).dtype));
  return arrays;
}

std::vector<ir::Array> evaluate_values(const ir::Graph& graph,
                                       const std::vector<ir::Array>& arguments,
                                       const ir::Bindings& bindings) {
  const ir::Bindings bound = infer_bindings(graph, arguments, bindings);
  ir::specialize(graph, bound);
  const Tensors values =
      Interpreter(bound).run_values(graph, read_arguments(graph, bound, arguments));
  std::vector<ir::Array> arrays;
  for (size_t i = 0; i < values.size(); ++i)
    arrays.push_back(as_array(values[i], graph.type(ir::Value{static_cast<int>(i)}).dtype));
  return arrays;
}

}  // namespace weft::backends::reference
