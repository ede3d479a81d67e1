// backends/backend.cpp -- what callers of every backend need: room for results, sizes of symbols.
#include "backends/backend.h"

#include "ir/rewrite/rewrite.h"

#include <cstdlib>

namespace weft::backends {
namespace {

using ir::Argument;
using ir::Array;
using ir::Bindings;
using ir::Dim;
using ir::GraphError;

// "argument %h: f32[B,S,8]"
std::string described(const ir::Graph& graph, const Argument& argument) {
  return ir::concat("argument ", graph.display_name(argument.value), ": ",
                    graph.type(argument.value));
}

bool is_symbol(const Dim& dim) {
  const std::vector<std::string> symbols = dim.symbols();
  return symbols.size() == 1 && dim == Dim::symbol(symbols[0]);
}

bool all_bound(const Dim& dim, const Bindings& bindings) {
  for (const std::string& s : dim.symbols())
    if (!bindings.contains(s)) return false;
  return true;
}

}  // namespace

EngineChoice engine_named(std::string_view name) {
  for (size_t i = 0; i < kEngineNames.size(); ++i)
    if (kEngineNames[i] == name) return static_cast<EngineChoice>(i);
  throw GraphError(ir::concat("the engine is best, onednn or weft, found '", name, "'"));
}

EngineChoice engine_of_environment() {
  const char* const name = std::getenv("WEFT_ENGINE");
  if (name == nullptr || *name == 0) return EngineChoice::best;
  try {
    return engine_named(name);
  } catch (const GraphError& e) {
    throw GraphError(ir::concat("error: WEFT_ENGINE: ", e.what()));
  }
}

std::vector<ir::Dims> result_dims(const ir::Graph& graph, const Bindings& bindings) {
  std::vector<ir::Dims> dims;
  for (const ir::Output& output : graph.outputs())
    dims.push_back(ir::values(graph.type(output.value).shape, bindings));
  return dims;
}

std::vector<Array> allocate_results(const ir::Graph& graph, const Bindings& bindings) {
  std::vector<Array> results;
  const std::vector<ir::Dims> dims = result_dims(graph, bindings);
  for (size_t i = 0; i < dims.size(); ++i)
    results.emplace_back(graph.type(graph.outputs()[i].value).dtype, dims[i]);
  return results;
}

Bindings infer_bindings(const ir::Graph& graph, std::span<const Array> arguments,
                        const Bindings& given) {
  if (arguments.size() != graph.arguments().size())
    throw GraphError(ir::concat("graph '", graph.name, "' takes ", graph.arguments().size(),
                                " arguments, found ", arguments.size()));
  Bindings bindings = given;
  std::map<std::string, std::string> bound_by;  // symbol -> what fixed its size
  for (const auto& [symbol, size] : given) bound_by[symbol] = "the bindings given";

  const auto for_each_dim = [&](const auto& visit) {
    for (size_t i = 0; i < arguments.size(); ++i) {
      const Argument& argument = graph.arguments()[i];
      const ir::Shape& shape = graph.type(argument.value).shape;
      for (size_t d = 0; d < shape.size(); ++d)
        visit(argument, d, shape[d], arguments[i].dims()[d]);
    }
  };

  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument& argument = graph.arguments()[i];
    if (arguments[i].rank() != graph.type(argument.value).rank())
      throw GraphError(ir::concat(described(graph, argument), " has rank ",
                                  graph.type(argument.value).rank(), ", found an array of ",
                                  ir::dims_str(arguments[i].dims())));
  }
  for_each_dim([&](const Argument& argument, size_t axis, const Dim& dim, int64_t size) {
    if (!is_symbol(dim) || bindings.contains(dim.str())) return;
    bindings[dim.str()] = size;
    bound_by[dim.str()] = ir::concat("axis ", axis, " of ", graph.display_name(argument.value));
  });
  for_each_dim([&](const Argument& argument, size_t axis, const Dim& dim, int64_t size) {
    if (!all_bound(dim, bindings))
      throw GraphError(ir::concat(described(graph, argument), ": the symbols of ", dim,
                                  " cannot all be read off the arguments; bind them"));
    const int64_t needed = dim.value(bindings);
    if (needed == size) return;
    std::string why;
    for (const std::string& s : dim.symbols())
      why +=
          ir::concat(why.empty() ? "; " : ", ", s, " = ", bindings.at(s), " by ", bound_by.at(s));
    throw GraphError(ir::concat(described(graph, argument), " needs ", needed,
                                " elements along axis ", axis, " (", dim, "), found ", size, why));
  });
  return bindings;
}

void check_precision(const Backend& backend, ir::Precision precision) {
  if (const std::string lack = backend.lacks(precision); !lack.empty())
    throw ir::RuntimeError(ir::concat("error: precision ", ir::name(precision),
                                      " is not for this machine: ", lack, "; f32 is"));
}

}  // namespace weft::backends
