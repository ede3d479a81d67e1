// models/cli/graphs/graph_file.cpp -- reading and differentiating graphs as asked for on the command line.
#include "models/cli/graphs/graph_file.h"

#include "autodiff/gradient.h"
#include "frontend/formats/input_file.h"
#include "ir/text/text.h"
#include "ir/verify.h"
#include "models/cli/command.h"
#include "models/cli/graphs/bind_arguments.h"

#include <algorithm>

namespace weft::cli {

ir::Graph read_graph(const std::string& path) {
  ir::Graph graph = ir::parse(formats::read_text_file(path), formats::input_name(path));
  ir::verify(graph);
  return graph;
}

Gradients gradients_asked_for(const std::string& text, const ir::Graph& graph) {
  const size_t colon = text.find(':');
  Gradients gradients{text.substr(0, colon), {}};
  if (gradients.result.empty())
    throw UsageError("--gradient needs RESULT or RESULT:ARGUMENT,..., found '" + text + "'");
  if (colon == text.npos) {
    for (const ir::Argument& a : graph.arguments())
      if (ir::is_float(graph.type(a.value).dtype))
        gradients.arguments.push_back(argument_name(graph, a));
  }
  for (size_t at = colon; at != text.npos;) {
    const size_t next = text.find(',', at + 1);
    gradients.arguments.push_back(text.substr(at + 1, next == text.npos ? next : next - at - 1));
    at = next;
    if (gradients.arguments.back().empty())
      throw UsageError("--gradient needs RESULT or RESULT:ARGUMENT,..., found '" + text + "'");
  }
  return gradients;
}

Differentiated differentiated(const ir::Graph& graph, const std::vector<std::string>& asked,
                              const std::function<bool(const std::string&)>& cotangent) {
  Differentiated d{graph, {}};
  for (const ir::Output& output : graph.outputs()) d.results.push_back(output.name);
  for (const std::string& text : asked) {
    const Gradients gradients = gradients_asked_for(text, d.graph);
    const auto called = std::find(d.results.begin(), d.results.end(), gradients.result);
    const std::string result =
        called == d.results.end()
            ? gradients.result
            : d.graph.outputs()[static_cast<size_t>(called - d.results.begin())].name;
    d.graph = autodiff::gradient(d.graph, result, gradients.arguments,
                                 {.cotangent = cotangent && cotangent(result)});
    for (const std::string& argument : gradients.arguments) {
      std::string name = "d" + argument;
      while (std::find(d.results.begin(), d.results.end(), name) != d.results.end())
        name = "d" + name;
      d.results.push_back(name);
    }
  }
  return d;
}

}  // namespace weft::cli
