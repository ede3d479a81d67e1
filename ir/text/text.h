// ir/text/text.h -- graphs as text; docs/ir.md has the grammar.
#pragma once
#include "ir/graph.h"

#include <string>
#include <string_view>

namespace weft::ir {

struct PrintOptions {
  bool types = true;
  bool scopes = true;
  bool locations = false;  // adds the user's line to each comment
};

std::string print(const Graph& graph, const PrintOptions& options = {});

// Throws GraphError "file:line: error: ...". `file` is for messages and for the nodes' locations.
Graph parse(std::string_view text, const std::string& file = "graph.ir");

// Text of what the outputs need, in an order and with names that depend on structure alone: equal
// for two graphs exactly when they compute the same outputs in the same way.
std::string canonical_text(const Graph& graph);

}  // namespace weft::ir
