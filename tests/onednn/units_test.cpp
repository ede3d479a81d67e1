// tests/onednn/units_test.cpp -- what runs as one, and how its results may lie for their readers.
#include "backends/onednn/plan/units.h"

#include "backends/onednn/lower/table.h"
#include "ir/text/text.h"

#include <doctest/doctest.h>

using namespace weft;          // NOLINT
using namespace weft::onednn;  // NOLINT

namespace {

Tensor at(const ir::Graph& graph, ir::Value v, Dims strides) {
  return {graph.type(v).dtype, dims_of(graph.type(v)), std::move(strides), {}};
}

}  // namespace

TEST_CASE("units: a chain of elementwise nodes is one unit, read by those outside") {
  const ir::Graph graph = ir::parse(R"(
    graph(%x: f32[4,8], %y: f32[4,8]) {
      %a = mul(%x, %y)
      %b = tanh(%a)
      %s = sum(%b) {axes=[-1]}
      return %s
    })");
  const Units grouped(graph, lowerings(), true), single(graph, lowerings(), false);
  CHECK(single.count() == 3);
  REQUIRE(grouped.count() == 2);
  CHECK(grouped[0].nodes == std::vector<int>{0, 1});
  CHECK(grouped[0].inputs == ir::Values{graph.arguments()[0].value, graph.arguments()[1].value});
  CHECK(grouped.of_node(0) == 0);
  CHECK(grouped.readers(graph.nodes()[0].results[0]).empty());
  CHECK(grouped.readers(graph.nodes()[1].results[0]) == std::vector<int>{1});
  CHECK(grouped.readers(graph.outputs()[0].value) == std::vector<int>{-1});
}

TEST_CASE("units: every reader has its say in how a value may lie") {
  const ir::Graph graph = ir::parse(R"(
    graph(%x: f32[4,8], %w: f32[8,8]) {
      %p = matmul(%x, %w)
      %s = softmax(%x)
      return %p, %s
    })");
  const Units units(graph, lowerings(), true);
  const ir::Value x = graph.arguments()[0].value, w = graph.arguments()[1].value;
  CHECK(units.readers_accept(x, at(graph, x, {8, 1})));
  CHECK_FALSE(
      units.readers_accept(x, at(graph, x, {1, 4})));    // softmax wants its lanes in one piece
  CHECK(units.readers_accept(w, at(graph, w, {1, 8})));  // a product takes it transposed
}

TEST_CASE("units: what products read, and is a power of two wide, is padded") {
  const ir::Graph graph = ir::parse(R"(
    graph(%x: f32[64,1024], %w: f32[1024,64]) {
      %t = tanh(%x)
      %p = matmul(%t, %w)
      return %p
    })");
  const Units units(graph, lowerings(), true);
  const ir::Value t = graph.nodes()[0].results[0];
  CHECK(units.wants_padding(t));
  CHECK_FALSE(units.wants_padding(graph.nodes()[1].results[0]));  // of the graph's result
  CHECK(units.result_strides(units[0], t) == padded_strides({64, 1024}, ir::DType::f32));
}
