// frontend/inspect/drawing/dot.h -- a graph as DOT and as SVG.
//
// Blue is forward, orange backward, green the optimiser; a heavy frame is a fused op. Scopes and
// loops are nested clusters. Hovering over a box shows its attributes and the user's line.
#pragma once
#include "frontend/inspect/drawing/drawing.h"

#include <string>

namespace weft::inspect {

std::string dot(const ir::Graph& graph, const DrawOptions& options = {});
std::string dot(const Drawing& drawing);

// The same for programs: {"title", "groups": [...], "boxes": [...], "links": [...]}. A group has
// "kind" (whole, part, scope, loop), "title", "part", "parent" (its place in the list; -1: none)
// and "times"; a box "kind" (op, fused, input, parameter, state, carry, scanned, output,
// collapsed), "title" (of an op its name), "values", "type", "part", "group", "nodes" (of the
// graph, that it stands for), "rows" ({"kind", "label", "text"}) and "tooltip"; a link "from", "to"
// (places in the list of boxes), "type" and "kind" (data, recurrence).
std::string json(const Drawing& drawing);

// Laid out by Graphviz. Throws RuntimeError when it cannot.
std::string svg(const ir::Graph& graph, const DrawOptions& options = {});

}  // namespace weft::inspect
