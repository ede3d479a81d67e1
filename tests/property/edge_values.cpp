// tests/property/edge_values.cpp -- drawing arguments at the edges; comparing results there.
#include "tests/property/edge_values.h"

#include "ir/check.h"
#include "ir/error.h"
#include "models/data/random.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace weft::tests {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kMost = std::numeric_limits<float>::max();

struct Special {
  Edge edge;
  std::string_view name;
  std::vector<double> values;
};

const Special& special(Edge edge) {
  static const std::vector<Special> table{{Edge::plain, "plain", {}},
                                          {Edge::zeros, "zeros", {0.0, -0.0}},
                                          {Edge::lows, "lows", {-kInf}},
                                          {Edge::infinite, "infinite", {kInf, -kInf}},
                                          {Edge::nans, "nans", {kNaN}},
                                          {Edge::equal, "equal", {}},
                                          {Edge::masking, "masking", {-1e9, -1e4, -kMost}},
                                          {Edge::lowest, "lowest", {-kMost}},
                                          {Edge::large, "large", {1e3, -1e4, 1e6}},
                                          {Edge::saturated, "saturated", {50, -50, 200, -200}},
                                          {Edge::huge, "huge", {1e30, -1e30, kMost, -kMost}},
                                          {Edge::tiny, "tiny", {1e-30, -1e-30, 1e-40, -1e-44}}};
  for (const Special& s : table)
    if (s.edge == edge) return s;
  WEFT_CHECK(false);
  return table[0];
}

int64_t limit_of(const std::string& name) {
  const size_t at = name.find("_below_");
  return at == name.npos ? 3 : std::atoll(name.c_str() + at + 7);
}

void fill(ir::Array& x, const std::string& name, Edge edge, data::Random& random) {
  const int64_t row = x.rank() == 0 ? 1 : std::max<int64_t>(x.dim(-1), 1);
  const Special& s = special(edge);
  const bool positive = name.starts_with("positive"), ordinary = name.starts_with("ordinary");
  const auto draw = [&] {
    const double v = 4 * random.uniform() - 2;
    return static_cast<double>(static_cast<float>(positive ? std::fabs(v) + 0.25 : v));
  };
  // Of rows of a value each: none, some elements, or all of them are special.
  for (int64_t first = 0; first < x.size(); first += row) {
    const uint64_t how = random.below(4);
    const double same = draw();
    for (int64_t i = first; i < first + row; ++i) {
      double v = edge == Edge::equal && how > 0 ? same : draw();
      if (!s.values.empty() && !ordinary && (how == 3 || (how > 0 && random.below(3) == 0)))
        v = s.values[random.below(s.values.size())];
      if (!s.values.empty() && !ordinary && how == 2 && random.below(2) == 0) v = s.values[0];
      x.set(i, static_cast<double>(static_cast<float>(positive ? std::fabs(v) : v)));
    }
  }
}

std::string shown(double x) { return ir::str(ir::Attr(x)); }

}  // namespace

std::string_view name(Edge edge) { return special(edge).name; }

std::vector<ir::Array> edge_arguments(const ir::Graph& graph, const ir::Bindings& bindings,
                                      Edge edge, uint64_t seed) {
  data::Random random(seed, 17);
  std::vector<ir::Array> arrays;
  for (const ir::Argument& a : graph.arguments()) {
    const ir::TensorType& t = graph.type(a.value);
    const std::string& name = graph.info(a.value).name;
    const bool real = ir::is_float(t.dtype);
    ir::Array x(real ? ir::DType::f64 : t.dtype, ir::values(t.shape, bindings));
    if (real) {
      fill(x, name, edge, random);
    } else {
      const auto limit = static_cast<uint64_t>(t.dtype == ir::DType::pred ? 2 : limit_of(name));
      for (int64_t i = 0; i < x.size(); ++i)
        x.set_integer(i, static_cast<int64_t>(random.below(limit)));
    }
    arrays.push_back(std::move(x));
  }
  return arrays;
}

std::string difference(const ir::Graph& graph, const std::vector<ir::Array>& want,
                       const std::vector<ir::Array>& got, const Likeness& likeness) {
  if (want.size() != got.size()) return "another number of outputs";
  for (size_t o = 0; o < want.size(); ++o) {
    const std::string& name = graph.outputs()[o].name;
    if (want[o].dims() != got[o].dims()) return "output " + name + " has another shape";
    double scale = 1;
    for (int64_t i = 0; i < want[o].size(); ++i) {
      const double size = std::fabs(want[o].at(i));
      if (std::isfinite(size) && size < kMost) scale = std::max(scale, size);
    }
    for (int64_t i = 0; i < want[o].size(); ++i) {
      if (!ir::is_float(want[o].dtype()) && !ir::is_float(got[o].dtype())) {
        if (want[o].integer_at(i) == got[o].integer_at(i)) continue;
        return ir::concat("output ", name, "[", i, "] should be ", want[o].integer_at(i), ", is ",
                          got[o].integer_at(i));
      }
      const double a = want[o].at(i), b = got[o].at(i);
      if ((std::isnan(a) && std::isnan(b)) || a == b) continue;
      if (std::isfinite(a) && std::isfinite(b) &&
          std::fabs(a - b) <= likeness.tolerance * std::max(scale, std::fabs(a)))
        continue;
      if (likeness.rounded_to_float && std::fabs(a) > 0.9999 * kMost && std::isinf(b) &&
          std::signbit(a) == std::signbit(b))
        continue;
      return ir::concat("output ", name, "[", i, "] should be ", shown(a), ", is ", shown(b));
    }
  }
  return "";
}

}  // namespace weft::tests
