// autodiff/gradient.cpp -- arguments by name, the seed, and the outputs added.
#include "autodiff/gradient.h"

#include "autodiff/mixed_rows.h"
#include "autodiff/sweep.h"
#include "ir/rewrite/rewrite.h"
#include "ir/rules/distinct_axes.h"

#include <algorithm>

namespace weft::autodiff {
namespace {

using ir::concat;
using ir::Graph;
using ir::GraphError;
using ir::Value;

int result_index(const Graph& graph, std::string_view result) {
  const int index = graph.find_output(result);
  if (index < 0) {
    std::string names;
    for (const ir::Output& o : graph.outputs()) names += (names.empty() ? "" : ", ") + o.name;
    throw GraphError(concat("error: the graph has no output '", result, "' to differentiate, only ",
                            names, " [gradient.1]"));
  }
  const Value v = graph.outputs()[static_cast<size_t>(index)].value;
  if (!ir::is_float(graph.type(v).dtype)) {
    const ir::Node* node = graph.producer(v);
    const std::string at =
        node != nullptr && node->from.loc.known() ? node->from.loc.str() + ": " : "";
    throw GraphError(concat(at, "error: the gradient of '", result,
                            "' needs it to be a float, found ", graph.type(v), " [gradient.2]"));
  }
  return index;
}

std::vector<int> argument_indexes(const Graph& graph, const std::vector<std::string>& names) {
  std::vector<int> indexes;
  for (const std::string& name : names) {
    const int index = graph.find_argument(name);
    if (index < 0)
      throw GraphError(
          concat("error: the graph has no argument '", name, "' to differentiate by [gradient.3]"));
    const ir::TensorType& type = graph.type(graph.arguments()[static_cast<size_t>(index)].value);
    if (!ir::is_float(type.dtype))
      throw GraphError(concat("error: the gradient by '", name, "' needs it to be a float, found ",
                              type, " [gradient.4]"));
    indexes.push_back(index);
  }
  return indexes;
}

}  // namespace

std::string gradient_name(const Graph& graph, std::string_view argument) {
  std::string name = concat("d", argument);
  std::replace(name.begin(), name.end(), '/', '.');
  while (graph.find_output(name) >= 0) name = "d" + name;
  return name;
}

namespace {

// Of a graph whose equal sizes are the same axis.
Graph gradient_of(const Graph& graph, int seeded, const std::vector<int>& arguments,
                  std::string_view result, const std::vector<std::string>& with_respect_to,
                  const GradientOptions& options) {
  Question question{std::vector<bool>(graph.arguments().size()),
                    std::vector<bool>(graph.outputs().size()),
                    {},
                    options.residuals};
  for (const int a : arguments) question.wanted[static_cast<size_t>(a)] = true;
  question.seeded[static_cast<size_t>(seeded)] = true;
  const ir::TensorType type = graph.type(graph.outputs()[static_cast<size_t>(seeded)].value);
  question.seed = [&](ir::Builder& b, int) {
    return options.cotangent ? b.graph().add_argument(type, concat("d", result))
                             : b.filled(1, type);
  };

  Joint joint = differentiate(graph, question);
  Graph& out = joint.graph;
  for (size_t i = 0; i < joint.outputs.size(); ++i)
    out.add_output(graph.outputs()[i].name, joint.outputs[i]);
  for (size_t i = 0; i < arguments.size(); ++i) {
    Value d = joint.adjoints[static_cast<size_t>(arguments[i])];
    if (!d.valid()) {
      ir::Builder builder(out);
      builder.from.part = ir::Part::backward;
      d = builder.zeros(graph.type(graph.arguments()[static_cast<size_t>(arguments[i])].value));
    }
    out.add_output(gradient_name(out, with_respect_to[i]), d);
  }
  return ir::drop_dead(out);
}

}  // namespace

Graph gradient(const Graph& graph, std::string_view result,
               const std::vector<std::string>& with_respect_to, const GradientOptions& options) {
  const int seeded = result_index(graph, result);
  const std::vector<int> arguments = argument_indexes(graph, with_respect_to);
  const ir::DistinctAxes distinct(graph);
  return distinct.restored(gradient_of(rows_kept_apart(distinct.graph(), distinct.apart()), seeded,
                                       arguments, result, with_respect_to, options));
}

std::vector<std::string> float_arguments(const Graph& graph) {
  std::vector<std::string> names;
  for (const ir::Argument& a : graph.arguments())
    if (ir::is_float(graph.type(a.value).dtype))
      names.push_back(a.path.empty() ? graph.info(a.value).name : a.path);
  return names;
}

}  // namespace weft::autodiff
