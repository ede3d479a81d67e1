// tests/frontend/graph_text.h -- comparing what the DSL builds with text.
#pragma once
#include "frontend/weft.h"
#include "ir/text/text.h"
#include "ir/verify.h"

#include <doctest/doctest.h>

#include <string>

namespace weft::tests {

// The graph is sound, survives its text form, and is `expected` up to names and order.
inline void check_graph(const Model& model, const char* expected) {
  ir::verify(model.graph());
  const std::string text = ir::print(model.graph());
  CHECK(ir::print(ir::parse(text), {.scopes = false}) ==
        ir::print(model.graph(), {.scopes = false}));
  CHECK(ir::canonical_text(model.graph()) == ir::canonical_text(ir::parse(expected)));
}

template <typename Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const ir::GraphError& error) {
    return error.what();
  }
  return {};
}

inline bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace weft::tests
