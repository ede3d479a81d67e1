// tests/support/check_gradient.cpp -- central differences along random directions.
#include "tests/support/check_gradient.h"

#include "autodiff/gradient.h"
#include "backends/reference/reference.h"
#include "ir/text/text.h"
#include "ir/verify.h"
#include "tests/support/op_samples.h"
#include "tests/support/tolerance.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

namespace weft::tests {
namespace {

using ir::Array;
using ir::DType;
using Arrays = std::vector<Array>;

Array random_like(const ir::Dims& dims, std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  Array a(DType::f64, dims);
  for (int64_t i = 0; i < a.size(); ++i) a.set(i, normal(random));
  return a;
}

double dot(const Array& a, const Array& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.size(); ++i) sum += a.at(i) * b.at(i);
  return sum;
}

Array moved(const Array& x, const Array& along, double by) {
  Array y(DType::f64, x.dims());
  for (int64_t i = 0; i < x.size(); ++i) y.set(i, x.at(i) + by * along.at(i));
  return y;
}

struct Checked {
  const ir::Graph& graph;
  ir::Bindings bindings;
  Arrays at;
  std::vector<size_t> floats;  // arguments
};

void check_output(const Checked& c, size_t output, std::mt19937_64& random) {
  const std::string& name = c.graph.outputs()[output].name;
  std::vector<std::string> names;
  for (const size_t i : c.floats) names.push_back(c.graph.info(c.graph.arguments()[i].value).name);
  const ir::Graph with = autodiff::gradient(c.graph, name, names, {.cotangent = true});
  ir::verify(with);

  const Array value = backends::reference::evaluate(c.graph, c.at, c.bindings)[output];
  const Array w = random_like(value.dims(), random);
  Arrays in = c.at;
  in.push_back(w);
  const Arrays out = backends::reference::evaluate(with, in, c.bindings);
  Arrays forward = c.at, back = c.at;
  double predicted = 0, size = 0;
  for (size_t k = 0; k < c.floats.size(); ++k) {
    const size_t i = c.floats[k];
    const Array t = random_like(c.at[i].dims(), random);
    const Array& d = out[c.graph.outputs().size() + k];
    REQUIRE(d.dims() == c.at[i].dims());
    predicted += dot(d, t);
    size += std::sqrt(dot(d, d) * dot(t, t));
    forward[i] = moved(c.at[i], t, kFiniteStep);
    back[i] = moved(c.at[i], t, -kFiniteStep);
  }
  const Array above = backends::reference::evaluate(c.graph, forward, c.bindings)[output];
  const Array below = backends::reference::evaluate(c.graph, back, c.bindings)[output];
  const double found = (dot(w, above) - dot(w, below)) / (2 * kFiniteStep);
  size += std::sqrt(dot(w, w) * dot(value, value)) + 1e-3;
  INFO("output " << name << ": along a random direction the gradient gives " << predicted
                 << ", differences " << found);
  INFO(ir::print(with));
  CHECK(std::abs(found - predicted) <= tolerance(DType::f64, Compared::finite_difference) * size);
}

}  // namespace

void check_gradient(const ir::Graph& graph, const GradientCheck& check) {
  Checked c{graph, sample_bindings(graph, check.seed), check.arguments, {}};
  if (c.at.empty())
    c.at = sample_arguments(graph, c.bindings, check.seed);
  else
    c.bindings = {};
  for (size_t i = 0; i < graph.arguments().size(); ++i)
    if (ir::is_float(graph.type(graph.arguments()[i].value).dtype)) c.floats.push_back(i);
  std::mt19937_64 random(check.seed);
  INFO("seed " << check.seed);
  for (size_t i = 0; i < graph.outputs().size(); ++i)
    if (ir::is_float(graph.type(graph.outputs()[i].value).dtype))
      for (int k = 0; k < check.directions; ++k) check_output(c, i, random);
}

void check_gradient(std::string_view text, const GradientCheck& check) {
  check_gradient(ir::parse(text), check);
}

double relative_difference(const Array& a, const Array& b, double floor) {
  if (a.dims() != b.dims()) return std::numeric_limits<double>::infinity();
  double worst = 0, greatest = floor;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double x = a.at(i), y = b.at(i);
    if (x == y || (std::isnan(x) && std::isnan(y))) {
      if (std::isfinite(y)) greatest = std::max(greatest, std::abs(y));
      continue;
    }
    if (!std::isfinite(x) || !std::isfinite(y)) return std::numeric_limits<double>::infinity();
    greatest = std::max(greatest, std::abs(y));
    worst = std::max(worst, std::abs(x - y));
  }
  return worst / greatest;
}

void check_close(const Array& a, const Array& b, double tolerance, std::string_view what,
                 double floor) {
  INFO(std::string(what) << ": " << ir::dims_str(a.dims()) << " against "
                         << ir::dims_str(b.dims()));
  CHECK(relative_difference(a, b, floor) <= tolerance);
}

}  // namespace weft::tests
