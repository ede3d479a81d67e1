// tests/support/check_gradient.h -- a graph's gradients against central differences.
//
// In double on the reference backend, along random directions t of all float arguments at once and
// for random cotangents w of each float output: <w, J t> by differences against <J' w, t>. One
// direction tests every element and costs two evaluations. Fails the running test case.
#pragma once
#include "ir/graph.h"
#include "ir/host/array.h"

#include <string_view>
#include <vector>

namespace weft::tests {

struct GradientCheck {
  uint64_t seed = 1;
  int directions = 2;
  std::vector<ir::Array> arguments = {};  // none: by the convention of op_samples.h
};

void check_gradient(const ir::Graph& graph, const GradientCheck& check = {});
void check_gradient(std::string_view text, const GradientCheck& check = {});

// max |a - b| / max(|b|, floor); infinite where one is NaN and the other is not, or the shapes
// differ.
double relative_difference(const ir::Array& a, const ir::Array& b, double floor = 1e-300);

// Differs by no more than `tolerance`, relative to the greatest element of b (and at least
// `floor`).
void check_close(const ir::Array& a, const ir::Array& b, double tolerance, std::string_view what,
                 double floor = 1e-9);

}  // namespace weft::tests
