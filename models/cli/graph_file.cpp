// models/cli/graph_file.cpp -- reading and differentiating graphs as asked for on the command line.
#include "models/cli/graph_file.h"

#include "autodiff/gradient.h"
#include "frontend/formats/input_file.h"
#include "ir/text/text.h"
#include "ir/verify.h"
#include "models/cli/command.h"

namespace weft::cli {

ir::Graph read_graph(const std::string& path) {
  ir::Graph graph = ir::parse(formats::read_text_file(path), formats::input_name(path));
  ir::verify(graph);
  return graph;
}

Gradients gradients_asked_for(const std::string& text, const ir::Graph& graph) {
  if (text.empty()) return {};
  const size_t colon = text.find(':');
  Gradients gradients{text.substr(0, colon), {}};
  if (colon == text.npos) {
    for (const ir::Argument& a : graph.arguments())
      if (ir::is_float(graph.type(a.value).dtype))
        gradients.arguments.push_back(graph.info(a.value).name);
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

ir::Graph with_gradients(const ir::Graph& graph, const Gradients& gradients, bool with_cotangent) {
  return autodiff::gradient(graph, gradients.result, gradients.arguments,
                            {.cotangent = with_cotangent});
}

}  // namespace weft::cli
