// models/cli/graph_file.cpp -- reading and differentiating graphs as asked for on the command line.
#include "models/cli/graph_file.h"

#include "autodiff/gradient.h"
#include "frontend/formats/input_file.h"
#include "ir/text/text.h"
#include "ir/verify.h"
#include "models/cli/command.h"

namespace weft::cli {

ir::Graph read_graph(const std::string& path) {
  ir::Graph graph = ir::parse(formats::read_text_file(path), path);
  ir::verify(graph);
  return graph;
}

ir::Graph with_gradients(const ir::Graph& graph, const std::string& what, bool with_cotangent) {
  const size_t colon = what.find(':');
  std::vector<std::string> arguments;
  if (colon == what.npos) {
    arguments = autodiff::float_arguments(graph);
  } else {
    for (size_t at = colon; at != what.npos;) {
      const size_t next = what.find(',', at + 1);
      arguments.push_back(what.substr(at + 1, next == what.npos ? next : next - at - 1));
      if (arguments.back().empty()) throw UsageError("--gradient needs RESULT or RESULT:ARGUMENT,..., found '" + what + "'");
      at = next;
    }
  }
  return autodiff::gradient(graph, what.substr(0, colon), arguments, {.cotangent = with_cotangent});
}

}  // namespace weft::cli
