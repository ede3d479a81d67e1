// tests/ir/verify_test.cpp -- each numbered invariant, broken.
#include "ir/verify.h"

#include "ir/rewrite/builder.h"
#include "ir/text/text.h"

#include <doctest/doctest.h>

using namespace weft::ir;

namespace {

// A copy of x -> tanh(x) with its node changed on the way.
template <typename F>
std::string broken(F change) {
  const Graph g = parse("graph(%x: f32[2,3]) { %y = softmax(%x) return %y }");
  Graph to;
  const Value x = to.add_argument(g.type(g.arguments()[0].value), "x");
  Node node = g.nodes()[0];
  Values operands{x};
  change(node, operands);
  const Values results = to.add_copy(g, node, operands);
  to.add_output("y", results[0]);
  try {
    verify(to, "a_pass");
  } catch (const GraphError& e) {
    return e.what();
  }
  return "";
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("verify: a sound graph passes") {
  CHECK(broken([](Node&, Values&) {}).empty());
}

TEST_CASE("verify.1: operands are made before they are read") {
  CHECK(has(broken([](Node&, Values& operands) { operands[0] = {1}; }), "[verify.1]"));
}

TEST_CASE("verify.2: groups sum to the operands") {
  CHECK(has(broken([](Node& n, Values&) { n.group_sizes = {2}; }), "[verify.2]"));
}

TEST_CASE("verify.3: attributes are declared, and defaults are not spelled out") {
  CHECK(has(broken([](Node& n, Values&) { n.attrs.set("colour", int64_t{3}); }), "[verify.3]"));
  CHECK(has(broken([](Node& n, Values&) { n.attrs.set("axis", int64_t{-1}); }), "[verify.3]"));
}

TEST_CASE("verify.4: types are those the op infers, and the pass is named") {
  const Graph g = parse("graph(%x: f32[2,3]) { %y = softmax(%x) return %y }");
  Graph to;
  const Value x = to.add_argument({DType::f32, {4}}, "x");
  to.add_output("y", to.add_copy(g, g.nodes()[0], {x})[0]);
  CHECK_THROWS_WITH_AS(
      verify(to, "a_pass"),
      "error: after pass 'a_pass': %y = softmax(%x) is typed f32[2,3] but infers f32[4] [verify.4]",
      GraphError);
}

TEST_CASE("verify.5: regions are as many as the op has") {
  CHECK(has(broken([](Node& n, Values&) { n.regions.emplace_back(); }), "[verify.5]"));
}

TEST_CASE("verify.6: paths and output names are unique") {
  Graph g;
  const Value x = g.add_argument({DType::f32, {}}, "x");
  g.add_output("o", x);
  g.add_output("o", x);
  CHECK_THROWS_AS(verify(g), GraphError);
}

TEST_CASE("verify.7: every node has an origin") {
  CHECK(has(broken([](Node& n, Values&) { n.from.origins.clear(); }), "[verify.7]"));
}
