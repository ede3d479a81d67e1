// tests/onednn/compare.cpp -- a graph on the onednn backend against the reference.
#include "tests/onednn/compare.h"

#include "backends/reference/reference.h"
#include "ir/text/text.h"
#include "tests/support/op_samples.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

namespace weft::tests {

std::string difference(const ir::Array& got, const ir::Array& want, double tolerance) {
  if (got.dims() != want.dims())
    return ir::concat("shape ", ir::dims_str(got.dims()), " against ", ir::dims_str(want.dims()));
  double scale = 0, worst = 0;
  int64_t where = -1;
  for (int64_t i = 0; i < want.size(); ++i)
    if (std::isfinite(want.at(i))) scale = std::max(scale, std::abs(want.at(i)));
  for (int64_t i = 0; i < want.size(); ++i) {
    const double a = got.at(i), b = want.at(i);
    if (!ir::is_float(got.dtype()) && got.integer_at(i) != want.integer_at(i))
      return ir::concat("element ", i, " of ", want.size(), ": ", got.integer_at(i), " against ",
                        want.integer_at(i));
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double error = std::isfinite(a) && std::isfinite(b) ? std::abs(a - b) : HUGE_VAL;
    if (error > worst) {
      worst = error;
      where = i;
    }
  }
  if (worst <= tolerance * std::max(scale, 1e-3)) return {};
  return ir::concat("element ", where, " of ", want.size(), ": ", got.at(where), " against ",
                    want.at(where), ", scale ", scale);
}

std::vector<ir::Array> run_onednn(const ir::Graph& graph, const std::vector<ir::Array>& arguments,
                                  const onednn::ExecutableOptions& options,
                                  const ir::Bindings& bindings) {
  const ir::Bindings bound = backends::infer_bindings(graph, arguments, bindings);
  const auto executable = onednn::compile(graph, bound, options);
  std::vector<ir::Array> results = backends::allocate_results(graph, bound);
  executable->run(arguments, results);
  return results;
}

void check_same(const ir::Graph& graph, const std::vector<ir::Array>& arguments,
                const Compare& options) {
  const ir::Bindings bound = backends::infer_bindings(graph, arguments, options.bindings);
  const std::vector<ir::Array> want = backends::reference::evaluate(graph, arguments, bound);
  onednn::ExecutableOptions how;
  how.poison = true;
  how.group_elementwise = options.group;
  how.engine = options.engine;
  const auto executable = onednn::compile(graph, bound, how);
  std::vector<ir::Array> results = backends::allocate_results(graph, bound);
  for (int round = 0; round < 2; ++round) {
    executable->run(arguments, results);
    for (size_t j = 0; j < results.size(); ++j) {
      const std::string found = difference(results[j], want[j], options.tolerance);
      const std::string what = found.empty() ? "" : graph.outputs()[j].name + ": " + found;
      INFO(ir::print(graph));
      INFO(executable->plan_text());
      CHECK(what == "");
    }
  }
  for (const std::string& name : executable->implementations()) CHECK(name.rfind("ref", 0) != 0);
}

void check_same(const std::string& text, const Compare& options) {
  const ir::Graph graph = ir::parse(text);
  ir::Bindings bindings = sample_bindings(graph, options.seed);
  for (const auto& [symbol, size] : options.bindings) bindings[symbol] = size;
  Compare bound = options;
  bound.bindings = bindings;
  check_same(graph, sample_arguments(graph, bindings, options.seed, ir::DType::f32), bound);
}

}  // namespace weft::tests
