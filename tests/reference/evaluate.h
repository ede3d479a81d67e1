// tests/reference/evaluate.h -- small graphs, evaluated on literal arrays.
#pragma once
#include "backends/reference/reference.h"
#include "ir/error.h"
#include "ir/text/text.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

namespace weft::test {

using ir::Array;
using ir::Dims;
using ir::DType;
using Numbers = std::vector<double>;

inline constexpr double kInf = HUGE_VAL;
inline const double kNaN = std::nan("");

inline Array array(DType dtype, Dims dims, const Numbers& values) {
  return Array::of(dtype, std::move(dims), values);
}
inline Array floats(Dims dims, const Numbers& values) {
  return array(DType::f64, std::move(dims), values);
}
inline Array ints(Dims dims, const std::vector<int64_t>& values) {
  return Array::of(DType::s32, std::move(dims), values);
}
inline Array longs(Dims dims, const std::vector<int64_t>& values) {
  return Array::of(DType::s64, std::move(dims), values);
}
inline Array preds(Dims dims, const Numbers& values) {
  return array(DType::pred, std::move(dims), values);
}

inline std::vector<Array> run(const std::string& graph, const std::vector<Array>& arguments,
                              const ir::Bindings& bindings = {}) {
  return backends::reference::evaluate(ir::parse(graph), arguments, bindings);
}

// The value of one node whose operands are %a, %b, ...: arrays of f64 stand for operands of f32.
inline Array apply(const std::string& node, const std::vector<Array>& arguments) {
  std::string header;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const DType dtype = arguments[i].dtype() == DType::f64 ? DType::f32 : arguments[i].dtype();
    header += std::string(i ? ", %" : "%") + static_cast<char>('a' + i) + ": " +
              std::string(ir::name(dtype)) + ir::dims_str(arguments[i].dims());
  }
  return run("graph(" + header + ") { %result = " + node + " return %result }", arguments)[0];
}

// Equal dims, and equal elements up to `tolerance` of the greatest; NaN is equal to NaN.
inline void check_values(const Array& found, const Dims& dims, const Numbers& expected,
                         double tolerance = 0) {
  CHECK_MESSAGE(found.dims() == dims, "found dims ", ir::dims_str(found.dims()), ", expected ",
                ir::dims_str(dims));
  REQUIRE(found.size() == static_cast<int64_t>(expected.size()));
  double greatest = 0;
  for (const double e : expected)
    if (std::isfinite(e)) greatest = std::max(greatest, std::fabs(e));
  for (int64_t i = 0; i < found.size(); ++i) {
    const double f = found.at(i), e = expected[static_cast<size_t>(i)];
    const bool same =
        f == e || (std::isnan(f) && std::isnan(e)) || std::fabs(f - e) <= tolerance * greatest;
    CHECK_MESSAGE(same, "element ", i, ": found ", f, ", expected ", e);
  }
}

// The message of the GraphError that evaluation throws; "" if it does not.
template <typename F>
std::string error_of(F f) {
  try {
    f();
  } catch (const ir::GraphError& e) {
    return e.what();
  }
  return "";
}
inline bool mentions(const std::string& message, const std::string& part) {
  const bool found = message.find(part) != message.npos;
  if (!found) MESSAGE("'" << part << "' is not in: " << message);
  return found;
}

}  // namespace weft::test
