// models/cli/graphs/bind_arguments.cpp -- looking up, converting, checking sizes.
#include "models/cli/graphs/bind_arguments.h"

#include "ir/error.h"
#include "ir/host/memory.h"
#include "ir/ops/all.h"
#include "ir/rewrite/rewrite.h"
#include "models/cli/command.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>

namespace weft::cli {
namespace {

using ir::Array;
using ir::DType;
using ir::GraphError;

std::string described(const ir::Graph& graph, const ir::Argument& a) {
  return ir::concat("argument ", graph.display_name(a.value), ": ", graph.type(a.value));
}

// The array stored for an argument; null when there is none.
const ir::NamedArray* find(const ir::Graph& graph, const ir::Argument& a,
                           const ir::NamedArrays& arrays, const std::string& file) {
  const ir::NamedArray* found = nullptr;
  for (const ir::NamedArray& entry : arrays) {
    if (entry.name != argument_name(graph, a) && (a.path.empty() || entry.name != a.path)) continue;
    if (found != nullptr)
      throw GraphError(ir::concat(file, ": both '", found->name, "' and '", entry.name, "' name ",
                                  described(graph, a)));
    found = &entry;
  }
  return found;
}

std::pair<int64_t, int64_t> range(DType dtype) {
  const ir::DTypeInfo& i = ir::info(dtype);
  if (dtype == DType::s64)
    return {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};
  if (dtype == DType::pred) return {0, 1};
  const int64_t top = (int64_t{1} << (i.is_signed ? i.bits - 1 : i.bits)) - 1;
  return {i.is_signed ? -top - 1 : 0, top};
}

Array converted(const Array& from, DType to, const std::string& where) {
  if (from.dtype() == to) return from;
  if (ir::is_float(to)) return from.cast(to);
  if (ir::is_float(from.dtype()))
    throw GraphError(ir::concat(where, " needs ", to == DType::pred ? "true and false" : "integers",
                                ", found ", ir::name(from.dtype())));
  Array result(to, from.dims());
  const auto [low, high] = range(to);
  for (int64_t i = 0; i < from.size(); ++i) {
    const int64_t value = from.integer_at(i);
    if (value < low || value > high)
      throw GraphError(ir::concat(where, " takes numbers from ", low, " to ", high, ", found ",
                                  value, " at element ", i));
    result.set_integer(i, value);
  }
  return result;
}

std::string listed(const std::vector<std::string>& names) {
  std::string s;
  for (size_t i = 0; i < names.size() && i < 20; ++i) s += (i ? ", '" : "'") + names[i] + "'";
  return names.size() > 20 ? s + ", ..." : s;
}

void add_symbols(const ir::Shape& shape, std::set<std::string>& symbols) {
  for (const ir::Dim& dim : shape)
    for (const std::string& symbol : dim.symbols()) symbols.insert(symbol);
}

// Those of arguments, of what is computed, and of attributes: a loop may have T steps, and no value
// of that size.
void add_symbols(const ir::Graph& graph, std::set<std::string>& symbols) {
  for (const ir::Argument& a : graph.arguments()) add_symbols(graph.type(a.value).shape, symbols);
  for (const ir::Node& node : graph.nodes()) {
    for (const ir::Value v : node.results) add_symbols(graph.type(v).shape, symbols);
    for (const auto& [name, attr] : node.attrs) {
      if (const auto* dim = std::get_if<ir::Dim>(&attr)) add_symbols(ir::Shape{*dim}, symbols);
      if (const auto* shape = std::get_if<ir::Shape>(&attr)) add_symbols(*shape, symbols);
    }
    for (const ir::Graph& region : node.regions) add_symbols(region, symbols);
  }
}

class SizeCheck {
 public:
  explicit SizeCheck(const ir::Bindings& bindings) : bindings_(bindings) {}

  void graph(const ir::Graph& g) const {
    for (const ir::Node& node : g.nodes()) {
      for (const ir::Value v : node.results)
        value(g, v,
              ir::concat("'", node.op->name, "'", node.from.loc.known() ? " made at " : "",
                         node.from.loc));
      if (node.op == &ir::ops::scan) {
        const int64_t steps = ir::ops::ScanParts(ir::OpView(g, node)).steps.value(bindings_);
        if (steps > std::numeric_limits<int32_t>::max())
          throw GraphError(ir::concat("'scan' at ", node.from.loc, " would have ", steps,
                                      " steps; positions are counted up to 2147483647"));
      }
      for (const ir::Graph& region : node.regions) graph(region);
    }
  }

 private:
  void value(const ir::Graph& g, ir::Value v, const std::string& by) const {
    const ir::TensorType& type = g.type(v);
    const int64_t count = ir::element_count(ir::values(type.shape, bindings_));
    if (count > available_ / ir::bytes(type.dtype))
      throw GraphError(ir::concat("the result ", type, " of ", by, " would have ", count,
                                  " elements, more than fit into memory"));
  }

  const ir::Bindings& bindings_;
  int64_t available_ = ir::physical_memory();
};

}  // namespace

ir::Bindings parse_bindings(const std::vector<std::string>& texts) {
  ir::Bindings bindings;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    int64_t size = -1;
    const char* end = text.data() + text.size();
    if (equals == text.npos || equals == 0 ||
        std::from_chars(text.data() + equals + 1, end, size).ptr != end || size < 0)
      throw UsageError("--bind needs a symbol and its size, as in S=7, found '" + text + "'");
    if (!bindings.emplace(text.substr(0, equals), size).second)
      throw UsageError("--bind gives '" + text.substr(0, equals) + "' twice");
  }
  return bindings;
}

void check_bindings(const ir::Graph& graph, const ir::Bindings& bindings) {
  std::set<std::string> symbols;
  add_symbols(graph, symbols);
  for (const auto& [symbol, size] : bindings) {
    if (symbols.contains(symbol)) continue;
    throw UsageError(ir::concat("--bind ", symbol, "=", size, ": graph '", graph.name,
                                "' has no symbol ", symbol, symbols.empty() ? "" : "; it has ",
                                listed({symbols.begin(), symbols.end()})));
  }
}

std::string argument_name(const ir::Graph& graph, const ir::Argument& argument) {
  return graph.display_name(argument.value).substr(1);
}

std::vector<Array> bind_arguments(const ir::Graph& graph, const ir::NamedArrays& arrays,
                                  const std::string& file, bool exact) {
  std::vector<Array> bound;
  std::vector<std::string> missing, superfluous;
  std::set<std::string> used;
  for (const ir::Argument& a : graph.arguments()) {
    const ir::NamedArray* entry = find(graph, a, arrays, file);
    if (entry == nullptr) {
      missing.push_back(a.path.empty() ? argument_name(graph, a) : a.path);
      continue;
    }
    used.insert(entry->name);
    const ir::TensorType& type = graph.type(a.value);
    if (entry->array.rank() != type.rank())
      throw GraphError(ir::concat(file, ": ", described(graph, a), " has rank ", type.rank(),
                                  ", found an array of ", ir::dims_str(entry->array.dims())));
    const DType to = exact && ir::is_float(type.dtype) ? DType::f64 : type.dtype;
    bound.push_back(converted(entry->array, to, file + ": " + described(graph, a)));
  }
  for (const ir::NamedArray& entry : arrays)
    if (!used.contains(entry.name)) superfluous.push_back(entry.name);
  const std::string extra = superfluous.empty()
                                ? ""
                                : listed(superfluous) + (superfluous.size() == 1 ? " is" : " are") +
                                      " no argument of graph '" + graph.name + "'";
  if (!missing.empty())
    throw GraphError(ir::concat(file.empty() ? "" : file + ": ", "graph '", graph.name, "' needs ",
                                listed(missing), ", not found", extra.empty() ? "" : "; ", extra));
  if (!extra.empty()) throw GraphError(ir::concat(file, ": ", extra));
  return bound;
}

void check_sizes(const ir::Graph& graph, const ir::Bindings& bindings) {
  SizeCheck(bindings).graph(graph);
}

}  // namespace weft::cli
