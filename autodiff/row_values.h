// autodiff/row_values.h -- what values ended rows of a reverse loop may hold: zero, finite, infinite,
// NaN.
//
// Adjoints enter a step of the reverse loop as zeros in ended rows, and forward values stacked by
// the loop are zeros there too; but scanned inputs hold what the user padded with, and 0 / 0 is
// NaN. Where a value leaves its rows (dW = x' dz), an ended row of NaN would reach the live ones,
// so operands that may hold one are masked there, and only there.
#pragma once
#include "ir/graph.h"

#include <vector>

namespace weft::autodiff {

enum class RowValues : uint8_t {
  zero,
  finite,
  extended,  // finite or infinite, as masked scores are
  any,       // or NaN
};

// What the results of a node of this graph hold, given what its values do so far. `live` is the
// region's argument of that name.
RowValues row_values(const ir::Graph& graph, const ir::Node& node,
                     const std::vector<RowValues>& values, ir::Value live);

}  // namespace weft::autodiff
