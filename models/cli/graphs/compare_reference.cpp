// models/cli/graphs/compare_reference.cpp -- both backends, every node.
#include "models/cli/graphs/compare_reference.h"

#include "backends/backend.h"
#include "ir/error.h"
#include "models/cli/command.h"

#include <algorithm>
#include <cmath>

namespace weft::cli {
namespace {

using ir::Array;

// Of float32 sums over a few thousand elements, against the largest element of the value. Errors
// grow from node to node; what a fault does is larger by orders of magnitude.
constexpr double kTolerance = 1e-3, kFloor = 1e-5;
// Where values are rounded to bf16: one that errs in its last bits may become the next bf16.
constexpr double kNextBf16 = 0x1p-7;

ir::Graph all_values(const ir::Graph& graph) {
  ir::Graph all = graph;
  std::vector<ir::Output> outputs;
  for (const ir::Node& node : graph.nodes())
    for (const ir::Value v : node.results) outputs.push_back({"v" + std::to_string(v.id), v});
  all.set_outputs(std::move(outputs));
  for (size_t i = 0; i < all.arguments().size(); ++i) all.set_donated(static_cast<int>(i), false);
  return all;
}

std::vector<Array> run(backends::Backend& backend, const ir::Graph& graph,
                       const ir::Bindings& bindings, const std::vector<Array>& arguments) {
  std::vector<Array> results = backends::allocate_results(graph, bindings);
  backend.compile(graph, bindings)->run(arguments, results);
  return results;
}

// The element that differs most, -1 when all agree.
int64_t worst_difference(const Array& found, const Array& wanted, double share) {
  double largest = 0, worst = 0;
  int64_t at = -1;
  const bool exact = !ir::is_float(wanted.dtype());
  for (int64_t i = 0; i < wanted.size(); ++i)
    if (std::isfinite(wanted.at(i))) largest = std::max(largest, std::fabs(wanted.at(i)));
  const double tolerance = exact ? 0 : share * largest + kFloor;
  for (int64_t i = 0; i < wanted.size(); ++i) {
    const double a = found.at(i), b = wanted.at(i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double difference = std::isnan(a - b) || std::isinf(a - b) ? HUGE_VAL : std::fabs(a - b);
    if (difference > tolerance && difference > worst) worst = difference, at = i;
  }
  return at;
}

}  // namespace

void compare_reference(backends::Backend& backend, const ir::Graph& graph,
                       const ir::Bindings& bindings, const std::vector<Array>& arguments) {
  const ir::Graph all = all_values(graph);
  const std::vector<Array> found = run(backend, all, bindings, arguments);
  const std::vector<Array> wanted = run(*backends::make_reference(), all, bindings, arguments);
  const bool rounded = std::any_of(found.begin(), found.end(),
                                   [](const Array& a) { return a.dtype() == ir::DType::bf16; });
  for (size_t i = 0; i < found.size(); ++i) {
    const int64_t at = worst_difference(found[i], wanted[i], rounded ? kNextBf16 : kTolerance);
    if (at < 0) continue;
    const ir::Value v = all.outputs()[i].value;
    const ir::Node& node = *all.producer(v);
    std::string operands;
    for (const ir::Value operand : node.operands)
      operands += ir::concat("\n", all.display_name(operand), ": ", all.type(operand));
    throw ir::GraphError(ir::concat(node.from.loc.known() ? node.from.loc.str() + ": " : "", "'",
                                    node.op->name, "' ", all.display_name(v), ": ", all.type(v),
                                    " differs from the reference: element ", at, " is ",
                                    ir::str(ir::Attr(found[i].at(at))), ", needed ",
                                    ir::str(ir::Attr(wanted[i].at(at))), operands));
  }
  say(ir::concat("all ", found.size(), " values agree with the reference"));
}

}  // namespace weft::cli
