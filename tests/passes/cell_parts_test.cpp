// tests/passes/cell_parts_test.cpp -- what a recurrent cell is recognised by, each piece alone.
#include "ir/passes/fuse/cells/cell_parts.h"

#include "ir/text/text.h"

#include <doctest/doctest.h>

using namespace weft;

namespace {

// A gate of the state %s and two inputs, its activation %z and a root %y that reads it.
struct Gated {
  ir::Graph graph;
  ir::GraphUses readers;

  explicit Gated(const std::string& text)
      : graph(ir::parse("graph(%x: f32[B,M], %s: f32[B,H], %W: f32[M,H], %U: f32[H,H], %V: "
                        "f32[H,H], %b: f32[H]) {" +
                        text)),
        readers(graph) {}

  ir::Value at(const std::string& name) const {
    for (const ir::Node& n : graph.nodes())
      for (const ir::Value v : n.results)
        if (graph.display_name(v) == name) return v;
    for (const ir::Argument& a : graph.arguments())
      if (graph.display_name(a.value) == name) return a.value;
    FAIL("no " << name);
    return {};
  }
  int node(const std::string& name) const { return graph.info(at(name)).node; }
  ir::CellParts parts() const {
    const ir::Node& root = *graph.producer(at("%y"));
    return {readers, root, node("%y"), {node("%y")}};
  }
};

const std::string kGate =
    "%g1 = matmul(%x, %W) %g2 = matmul(%s, %U) %g3 = add(%g1, %g2) %g = add(%g3, %b) %z = "
    "sigmoid(%g) ";

}  // namespace

TEST_CASE("cell_parts: a gate is what its activation reads, the product with the state apart") {
  const Gated g(kGate + "%y = mul(%z, %s) return %y }");
  CHECK(ir::made_by(g.readers, g.at("%z"), ir::ops::sigmoid));
  CHECK_FALSE(ir::made_by(g.readers, g.at("%z"), ir::ops::tanh));
  ir::CellParts parts = g.parts();
  const auto gate = parts.split(parts.terms(g.at("%z"), ir::ops::sigmoid), g.at("%s"));
  REQUIRE(gate);
  CHECK(gate->recurrent.w == g.at("%U"));
  REQUIRE(gate->inputs.size() == 2);
  CHECK(gate->inputs[0].w == g.at("%W"));
  CHECK(gate->inputs[1].v == g.at("%b"));
  CHECK(ir::fit(g.readers, {*gate}, g.graph.type(g.at("%s"))));
  CHECK_FALSE(ir::fit(g.readers, {*gate}, g.graph.type(g.at("%x"))));
  const ir::Gate negated = gate->negated();
  CHECK((negated.recurrent.negated && negated.inputs[0].negated && negated.inputs[1].negated));
  CHECK(parts.read_elsewhere({g.at("%y")}).empty());
}

TEST_CASE("cell_parts: a gate without a product with the state, or with two, is none") {
  const Gated none("%g = matmul(%x, %W) %z = sigmoid(%g) %y = mul(%z, %s) return %y }");
  ir::CellParts parts = none.parts();
  CHECK_FALSE(parts.split(parts.terms(none.at("%z"), ir::ops::sigmoid), none.at("%s")));
  const Gated two(
      "%g1 = matmul(%s, %V) %g2 = matmul(%s, %U) %g = add(%g1, %g2) %z = sigmoid(%g) %y = mul(%z, "
      "%s) return %y }");
  ir::CellParts more = two.parts();
  CHECK_FALSE(more.split(more.terms(two.at("%z"), ir::ops::sigmoid), two.at("%s")));
}

TEST_CASE("cell_parts: who else reads a gate is named") {
  for (const auto& [rest, who] :
       {std::pair{"%t = exp(%z) return %y, %t }", "%z is read elsewhere, by 'exp' %t"},
        {"return %y, %z }", "%z is read elsewhere, by a result of the graph"},
        {"%t = exp(%g2) return %y, %t }", "%g2 is read elsewhere, by 'exp' %t"}}) {
    const Gated g(kGate + "%y = mul(%z, %s) " + rest);
    ir::CellParts parts = g.parts();
    REQUIRE(parts.split(parts.terms(g.at("%z"), ir::ops::sigmoid), g.at("%s")));
    CHECK(parts.read_elsewhere({g.at("%y")}) == who);
  }
}
