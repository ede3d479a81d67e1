// tests/autodiff/recomputed_test.cpp -- computing parts of the forward pass again changes no value,
// and lets the backward pass read less of it.
#include "autodiff/gradient.h"
#include "autodiff/residuals.h"
#include "backends/reference/reference.h"
#include "ir/ops/all.h"
#include "ir/text/text.h"
#include "ir/verify.h"
#include "tests/support/check_gradient.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

using namespace weft;
using ir::Array;

namespace {

// Eight layers, with and without a residual link.
ir::Graph stack() {
  std::string text = "graph @stack(input %x0: f64[6,5], input %W: f64[5,5]) -> (loss: f64[]) {\n";
  for (int i = 0; i < 8; ++i) {
    const std::string n = std::to_string(i);
    text +=
        "%a" + n + " = matmul(%x" + n + ", %W)\n%t" + n + " = tanh(%a" + n + ")\n%s" + n +
        " = sigmoid(%t" + n + ")\n%x" + std::to_string(i + 1) +
        (i % 2 == 0 ? " = add(%s" + n + ", %x" + n + ")\n" : " = mul(%s" + n + ", %t" + n + ")\n");
  }
  return ir::parse(text + "%loss = sum(%x8) {axes=[0,1]}\nreturn %loss\n}");
}

Array filled(ir::Dims dims, double step) {
  Array a(ir::DType::f64, std::move(dims));
  for (int64_t i = 0; i < a.size(); ++i) a.set(i, std::sin(step * static_cast<double>(i + 1)));
  return a;
}

// Values of the forward pass that the backward pass reads.
int read_backward(const ir::Graph& graph) {
  std::set<int> values;
  for (const ir::Node& node : graph.nodes())
    if (node.from.part == ir::Part::backward)
      for (const ir::Value v : node.operands)
        if (const ir::Node* made = graph.producer(v))
          if (made->from.part == ir::Part::forward && graph.type(v).rank() > 0) values.insert(v.id);
  return static_cast<int>(values.size());
}

void check_same_values(const ir::Graph& a, const ir::Graph& b, const std::vector<Array>& at) {
  const std::vector<Array> x = backends::reference::evaluate(a, at),
                           y = backends::reference::evaluate(b, at);
  REQUIRE(x.size() == y.size());
  for (size_t i = 0; i < x.size(); ++i) tests::check_close(y[i], x[i], 1e-12, a.outputs()[i].name);
}

}  // namespace

TEST_CASE("recomputed: the same values, and the more pieces the less is kept") {
  const ir::Graph graph = autodiff::gradient(stack(), "loss", {"x0", "W"});
  const std::vector<Array> at = {filled({6, 5}, 0.7), filled({5, 5}, 1.3)};
  int before = read_backward(graph);
  for (const int segments : {2, 4}) {
    INFO(segments);
    const ir::Graph again =
        autodiff::recomputed(graph, {.segments = segments, .recompute_moves = false});
    ir::verify(again);
    check_same_values(graph, again, at);
    CHECK(again.node_count() > graph.node_count());
    CHECK(read_backward(again) < before);
    before = read_backward(again);
  }
}

TEST_CASE("recomputed: one piece, and a graph without a backward pass, stay as they are") {
  const ir::Graph graph = autodiff::gradient(stack(), "loss", {"W"});
  CHECK(ir::canonical_text(autodiff::recomputed(graph, {.recompute_moves = false})) ==
        ir::canonical_text(graph));
  CHECK(ir::canonical_text(autodiff::recomputed(stack(), {.segments = 4})) ==
        ir::canonical_text(stack()));
}

TEST_CASE(
    "residuals: a loop that recomputes all but its carries stacks less, with the same gradients") {
  const ir::Graph loop = ir::parse(R"(
    graph @rnn(input %x: f64[7,3,4], input %s0: f64[3,5], input %W: f64[4,5], input %U: f64[5,5], input %n: s32[3]) -> (loss: f64[]) {
      %s, %y = scan(%s0; %x; %W, %U; %n) {axes=[0], out_axes=[0]}
      (%c, %xt, %w, %u, %live) {
        %a = matmul(%xt, %w)
        %b = matmul(%c, %u)
        %g = add(%a, %b)
        %h = tanh(%g)
        %k = matmul(%h, %u)
        %i = sigmoid(%k)
        yield %h; %i
      }
      %y2 = mul(%y, %y)
      %loss = sum(%y2) {axes=[0,1,2]}
      return %loss
    })");
  const auto stacked = [](const ir::Graph& g) {
    for (const ir::Node& node : g.nodes())
      if (node.op == &ir::ops::scan) return node.results.size();
    return size_t{0};
  };
  const ir::Graph plain = autodiff::gradient(loop, "loss", {"x", "W", "U"});
  const ir::Graph lean =
      autodiff::gradient(loop, "loss", {"x", "W", "U"},
                         {.residuals = {.threshold = 1e30, .recompute_contractions = true}});
  ir::verify(lean);
  CHECK(stacked(lean) < stacked(plain));
  check_same_values(plain, lean,
                    {filled({7, 3, 4}, 0.3), filled({3, 5}, 0.9), filled({4, 5}, 1.1),
                     filled({5, 5}, 0.5), Array::of<int32_t>(ir::DType::s32, {3}, {7, 4, 2})});
}

TEST_CASE(
    "recomputed: what is cheap to make of values that outlive it is made again, views and all") {
  // %w outlives nothing: parameters are there to the end. %n is made of %h, which its adjoint
  // reads.
  const ir::Graph graph = autodiff::gradient(ir::parse(R"(
    graph @light(input %x: f64[64,64], input %W: f64[64,32], input %V: f64[64,32], input %g: f64[64]) -> (loss: f64[]) {
      %w = concat(%W, %V) {axis=1}
      %t = transpose(%w) {perm=[1,0]}
      %h = matmul(%x, %t) {transpose_b=true}
      %n, %m, %r = layer_norm(%h; %g) {statistics=true}
      %y = matmul(%n, %t) {transpose_b=true}
      %z = tanh(%y)
      %loss = sum(%z) {axes=[0,1]}
      return %loss })"),
                                             "loss", {"x", "W", "V", "g"});
  const ir::Graph again = autodiff::recomputed(graph, {});
  ir::verify(again);
  check_same_values(
      graph, again,
      {filled({64, 64}, 0.7), filled({64, 32}, 1.3), filled({64, 32}, 0.9), filled({64}, 0.2)});
  const auto count = [](const ir::Graph& g, const ir::OpDef& op) {
    return std::count_if(g.nodes().begin(), g.nodes().end(),
                         [&](const ir::Node& n) { return n.op == &op; });
  };
  CHECK(count(again, ir::ops::concat) == count(graph, ir::ops::concat) + 1);
  CHECK(count(again, ir::ops::layer_norm) == count(graph, ir::ops::layer_norm) + 1);
  for (const ir::Node& node : again.nodes())
    if (node.from.part == ir::Part::backward && node.op == &ir::ops::matmul)
      for (const ir::Value v : node.operands)
        if (const ir::Node* made = again.producer(v);
            made != nullptr && made->op == &ir::ops::transpose)
          CHECK(made->from.part == ir::Part::backward);
  CHECK(ir::canonical_text(autodiff::recomputed(graph, {.recompute_moves = false})) ==
        ir::canonical_text(graph));
}
