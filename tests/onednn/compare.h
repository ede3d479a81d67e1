// tests/onednn/compare.h -- a graph on the onednn backend against the reference.
#pragma once
#include "backends/onednn/run/executable.h"
#include "ir/graph.h"
#include "ir/host/array.h"

#include <optional>
#include <string>
#include <vector>

namespace weft::tests {

struct Compare {
  ir::Bindings bindings;
  uint64_t seed = 1;
  // float32 sums of n terms in another order differ by about sqrt(n) roundings of 6e-8 of the
  // terms: 1e-5 of the greatest magnitude covers n of some thousands.
  double tolerance = 1e-5;
  bool group = true;
  std::optional<backends::EngineChoice> engine = {};  // none: WEFT_ENGINE's
};

// Runs both on the same float32 arguments, in a poisoned arena, twice (what a run leaves behind
// must not matter), and reports the worst element. Also fails where a primitive runs reference
// loops.
void check_same(const ir::Graph& graph, const std::vector<ir::Array>& arguments,
                const Compare& options = {});
// Arguments by the names' convention of tests/support/op_samples.h.
void check_same(const std::string& text, const Compare& options = {});

std::vector<ir::Array> run_onednn(const ir::Graph& graph, const std::vector<ir::Array>& arguments,
                                  const onednn::ExecutableOptions& options = {},
                                  const ir::Bindings& bindings = {});
// "" or the worst element of two arrays of one shape.
std::string difference(const ir::Array& got, const ir::Array& want, double tolerance);

}  // namespace weft::tests
