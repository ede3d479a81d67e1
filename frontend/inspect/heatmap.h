// frontend/inspect/heatmap.h -- what the decoder looked at: attention weights as an SVG picture.
#pragma once
#include "ir/host/array.h"

#include <string>
#include <vector>

namespace weft::inspect {

struct Heatmap {
  std::string title;
  std::vector<std::string> columns;  // source tokens
  std::vector<std::string> rows;     // target tokens
  ir::Array weights;                 // float[rows,columns], each in [0, 1]
};

// Throws GraphError when the weights are not of that shape.
std::string svg(const Heatmap& map);

}  // namespace weft::inspect
