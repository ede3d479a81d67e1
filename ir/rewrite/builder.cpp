// ir/rewrite/builder.cpp -- appending nodes by name.
#include "ir/rewrite/builder.h"

#include "ir/check.h"

namespace weft::ir {

Values Builder::emit_all(const OpDef& op, const OperandGroups& groups, Attrs attrs,
                         std::vector<Graph> regions) {
  return graph_->add(op, groups, std::move(attrs), from, std::move(regions));
}

Value Builder::emit(const OpDef& op, const OperandGroups& groups, Attrs attrs) {
  return emit_all(op, groups, std::move(attrs)).front();
}

Value Builder::scalar(double value, DType dtype) { return filled(value, {dtype, {}}); }

Value Builder::integer(int64_t value, DType dtype) {
  return emit(ops::constant, {},
              {{"dtype", dtype}, {"shape", Shape{}}, {"values", Integers{value}}});
}

Value Builder::filled(double value, const TensorType& type) {
  return emit(ops::constant, {},
              {{"dtype", type.dtype}, {"shape", type.shape}, {"values", Reals{value}}});
}

Value Builder::cast(Value x, DType dtype) {
  return type(x).dtype == dtype ? x : emit(ops::cast, {{x}}, {{"dtype", dtype}});
}

Value Builder::activation(std::string_view name, Value x) {
  const ops::Activation* a = ops::activation_named(name);
  WEFT_CHECK(a != nullptr);
  return a->op == nullptr ? x : emit(*a->op, {{x}});
}

Value Builder::matmul(Value a, Value b, bool transpose_a, bool transpose_b) {
  return emit(ops::matmul, {{a}, {b}},
              {{"transpose_a", transpose_a}, {"transpose_b", transpose_b}});
}

Value Builder::sum(Value x, Integers axes, bool keep) {
  if (axes.empty()) return x;
  return emit(ops::sum, {{x}}, {{"axes", std::move(axes)}, {"keep", keep}});
}

Value Builder::max(Value x, Integers axes, bool keep) {
  return emit(ops::max, {{x}}, {{"axes", std::move(axes)}, {"keep", keep}});
}

Value Builder::sum_all(Value x) {
  Integers axes;
  for (int d = 0; d < type(x).rank(); ++d) axes.push_back(d);
  return sum(x, axes);
}

Value Builder::sum_to(Value x, const Shape& shape) {
  const Shape from_shape = type(x).shape;
  const size_t extra = from_shape.size() - shape.size();
  Integers axes;
  for (size_t d = 0; d < from_shape.size(); ++d)
    if (d < extra || (shape[d - extra].is(1) && !from_shape[d].is(1)))
      axes.push_back(static_cast<int64_t>(d));
  return axes.empty() ? x : reshape(sum(x, axes), shape);
}

Value Builder::reshape(Value x, const Shape& shape) {
  return type(x).shape == shape ? x : emit(ops::reshape, {{x}}, {{"shape", shape}});
}

Value Builder::transpose(Value x, const Integers& perm) {
  for (size_t i = 0; i < perm.size(); ++i)
    if (perm[i] != static_cast<int64_t>(i)) return emit(ops::transpose, {{x}}, {{"perm", perm}});
  return x;
}

Value Builder::broadcast(Value x, const Shape& shape) {
  return type(x).shape == shape ? x : emit(ops::broadcast, {{x}}, {{"shape", shape}});
}

Value Builder::slice(Value x, int64_t axis, const Dim& start, const Dim& stop) {
  if (start.is(0) && stop == type(x).dim(axis)) return x;
  return emit(ops::slice, {{x}}, {{"axis", axis}, {"start", start}, {"stop", stop}});
}

Value Builder::concat(const Values& xs, int64_t axis) {
  return xs.size() == 1 ? xs[0] : emit(ops::concat, {xs}, {{"axis", axis}});
}

Expansion::Expansion(const OpView& op) : op_(op), builder(graph_) {
  graph_.name = std::string(op.def().name);
  int at = 0;
  for (size_t g = 0; g < op.def().operands.size(); ++g)
    for (int i = 0; i < op.node().group_sizes[g]; ++i) {
      std::string name(op.def().operands[g].name);
      if (op.def().operands[g].arity == Arity::variadic) name += std::to_string(i);
      graph_.add_argument(op.operand(at++), std::move(name));
    }
  builder.from = op.node().from;
}

Value Expansion::operator[](std::string_view operand) const {
  WEFT_CHECK(op_.has(operand));
  return graph_.arguments()[static_cast<size_t>(op_.position(operand))].value;
}

Values Expansion::group(std::string_view operand) const {
  Values values;
  for (int i = 0; i < op_.count(operand); ++i)
    values.push_back(graph_.arguments()[static_cast<size_t>(op_.position(operand) + i)].value);
  return values;
}

Values Expansion::arguments() const {
  Values values;
  for (const Argument& a : graph_.arguments()) values.push_back(a.value);
  return values;
}

Graph Expansion::finish(const Values& results) {
  for (size_t i = 0; i < results.size(); ++i)
    graph_.add_output("r" + std::to_string(i), results[i]);
  return std::move(graph_);
}

Values inline_graph(Builder& builder, const Graph& inner, const Values& arguments) {
  WEFT_CHECK(arguments.size() == inner.arguments().size());
  Values map(static_cast<size_t>(inner.value_count()));
  for (size_t i = 0; i < arguments.size(); ++i)
    map[static_cast<size_t>(inner.arguments()[i].value.id)] = arguments[i];
  Graph& graph = builder.graph();
  for (const Node& node : inner.nodes()) {
    Values operands;
    for (const Value v : node.operands) operands.push_back(map[static_cast<size_t>(v.id)]);
    const Values results = graph.add_copy(inner, node, operands);
    graph.set_node_provenance(static_cast<int>(graph.nodes().size()) - 1, builder.from);
    for (size_t i = 0; i < results.size(); ++i)
      map[static_cast<size_t>(node.results[i].id)] = results[i];
  }
  Values outputs;
  for (const Output& o : inner.outputs()) outputs.push_back(map[static_cast<size_t>(o.value.id)]);
  return outputs;
}

}  // namespace weft::ir
