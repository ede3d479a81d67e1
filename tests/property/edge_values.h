// tests/property/edge_values.h -- arguments made of the values at which rewritten graphs tell on
// themselves, and what "says the same" means of them.
#pragma once
#include "ir/graph.h"
#include "ir/host/array.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weft::tests {

// What stands among ordinary numbers. `huge` and `tiny` leave the range of f32 within a step or two:
// backends that compute in f32 and in double then differ as they may.
enum class Edge : uint8_t {
  plain,      // nothing
  zeros,      // 0 and -0
  lows,       // -inf, in whole rows too
  infinite,   // inf and -inf
  nans,       // NaN
  equal,      // rows of one value
  masking,    // -1e9, -1e4, the lowest float
  lowest,     // the lowest float
  large,      // up to 1e6
  saturated,  // +-50, +-200
  huge,       // 1e30, the largest floats
  tiny,       // 1e-30, denormals
};
inline constexpr Edge kEdges[] = {Edge::plain, Edge::zeros,     Edge::lows,    Edge::infinite,
                                  Edge::nans,  Edge::equal,     Edge::masking, Edge::lowest,
                                  Edge::large, Edge::saturated, Edge::huge,    Edge::tiny};
std::string_view name(Edge edge);

// One array an argument, by its name as in op_samples.h: `..._below_N`, `positive...`; integers are
// otherwise 0 to 2. Floats are values of f32, in arrays of f64.
std::vector<ir::Array> edge_arguments(const ir::Graph& graph, const ir::Bindings& bindings,
                                      Edge edge, uint64_t seed);

// "" or what differs. NaN is only NaN, an infinity that infinity; numbers agree to `tolerance` of
// the largest number of the output, and of themselves.
struct Likeness {
  double tolerance = 1e-10;
  bool rounded_to_float = false;  // beyond the range of f32 an infinity stands for a number
};
std::string difference(const ir::Graph& graph, const std::vector<ir::Array>& want,
                       const std::vector<ir::Array>& got, const Likeness& likeness);

}  // namespace weft::tests
