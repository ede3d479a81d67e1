// frontend/inspect/dot.h -- a graph as DOT and as SVG.
//
// Blue is forward, orange backward, green the optimiser; a heavy frame is a fused op. Scopes and
// loops are nested clusters. Hovering over a box shows its attributes and the user's line.
#pragma once
#include "frontend/inspect/drawing.h"

#include <string>

namespace weft::inspect {

std::string dot(const ir::Graph& graph, const DrawOptions& options = {});
std::string dot(const Drawing& drawing);

// Laid out by Graphviz. Throws RuntimeError when it cannot.
std::string svg(const ir::Graph& graph, const DrawOptions& options = {});

}  // namespace weft::inspect
