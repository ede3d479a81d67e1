// tests/passes/axes_test.cpp -- which axes are the same, and graphs in which rows have sizes of
// their own.
#include "autodiff/gradient.h"
#include "backends/reference/reference.h"
#include "ir/ops/table.h"
#include "ir/passes/pipeline.h"
#include "ir/rewrite/rewrite.h"
#include "ir/rules/distinct_axes.h"
#include "ir/rules/op_rules.h"
#include "ir/text/text.h"
#include "ir/verify.h"
#include "tests/support/op_samples.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

using namespace weft;

namespace {

ir::Graph bound_again(const ir::General& general) {
  return ir::with_sizes(general.graph,
                        [&](const ir::Dim& d) { return d.substitute(general.sizes); });
}

// "[axis_4,axis_4_2] -> [axis_4]": of the arguments and results.
std::string types_of(const ir::Graph& graph) {
  std::string text;
  for (const ir::Argument& a : graph.arguments()) text += str(graph.type(a.value).shape);
  text += " -> ";
  for (const ir::Output& o : graph.outputs()) text += str(graph.type(o.value).shape);
  return text;
}

std::string general_types(const char* text) {
  return types_of(ir::most_general(ir::parse(text)).graph);
}

// A loop whose weight is as large as its batch, by numbers.
constexpr const char* kSquare = R"(
graph(%s: f32[4,4], %x: f32[5,4,4], %W: f32[4,4], %len: s32[4]) {
  %sN, %o = scan(%s; %x; %W; %len) {axes=[0], out_axes=[0]}
  (%s, %x, %W, %live) {
    %a = matmul(%s, %W)
    %b = add(%a, %x)
    %n = tanh(%b)
    yield %n; %n
  }
  %r = sum(%o) {axes=[-1,-2,-3]}
  %q = sum(%sN) {axes=[-1,-2]}
  %loss = add(%r, %q)
  return %loss
})";

}  // namespace

TEST_CASE("axes: every op says which axes of its operands are the same, or has regions") {
  for (const ir::OpDef* op : ir::ops::table())
    CHECK_MESSAGE((ir::rules_of(*op).axes != nullptr || ir::rules_of(*op).signature != nullptr ||
                   op->regions > 0),
                  std::string(op->name), " needs a rule of axes in ir/rules");
}

TEST_CASE("rules: every op says what it does with rows, or why nothing is said") {
  for (const ir::OpDef* op : ir::ops::table()) {
    const ir::OpRules& rules = ir::rules_of(*op);
    CHECK_MESSAGE((ir::has_rules(*op) && (rules.rows != nullptr) == (rules.stays_whole == nullptr)),
                  std::string(op->name),
                  " needs a row in ir/rules with `rows`, or `stays_whole` with the reason");
  }
}

TEST_CASE("rules: every op with a product in it says which factors may be bf16, or why none may") {
  const std::function<bool(const ir::Graph&, const ir::Node&)> multiplies =
      [&](const ir::Graph& graph, const ir::Node& node) {
        if (ir::cost_of(*node.op) == ir::Cost::product) return true;
        if (node.op->expand == nullptr) return false;
        const ir::Graph means = node.op->expand(ir::OpView(graph, node));
        return std::any_of(means.nodes().begin(), means.nodes().end(),
                           [&](const ir::Node& n) { return multiplies(means, n); });
      };
  for (const ir::OpDef* op : ir::ops::table()) {
    const ir::Bf16Operands& bf16 = ir::rules_of(*op).bf16;
    for (const auto& names : {bf16.factors, bf16.saved})
      for (const std::string_view name : names)
        CHECK_MESSAGE((op->operand_index(name) >= 0 || name == "o"), std::string(op->name),
                      " has no operand ", std::string(name));
    for (const ir::Graph& graph : tests::samples(*op, 1))
      for (const ir::Node& node : graph.nodes())
        if (node.op == op && multiplies(graph, node))
          CHECK_MESSAGE((bf16.factors.size() > 0 || bf16.held_back != nullptr),
                        std::string(op->name),
                        " multiplies matrices: its row in ir/rules needs `bf16`");
  }
}

TEST_CASE("axes: a graph over the most general sizes is well-typed and, bound again, the same") {
  for (const ir::OpDef* op : ir::ops::table())
    for (uint64_t seed = 1; seed <= 3; ++seed)
      for (const ir::Graph& graph : tests::samples(*op, seed)) {
        INFO(ir::print(graph));
        const ir::General general = ir::most_general(graph);
        ir::verify(general.graph);
        CHECK(ir::print(bound_again(general)) == ir::print(graph));
        // With all symbols bound to numbers first, too.
        const ir::Graph bound = ir::specialize(graph, tests::sample_bindings(graph, seed));
        const ir::General again = ir::most_general(bound);
        ir::verify(again.graph);
        CHECK(ir::print(bound_again(again)) == ir::print(bound));
      }
}

TEST_CASE("axes: equal sizes are told apart by what ops do with them") {
  CHECK(general_types("graph(%a: f32[4,4], %b: f32[4,4]) { %y = matmul(%a, %b) return %y }") ==
        "[axis_4,axis_4_2][axis_4_2,axis_4_3] -> [axis_4,axis_4_3]");
  CHECK(general_types("graph(%a: f32[4,4], %b: f32[4]) { %y = add(%a, %b) return %y }") ==
        "[axis_4,axis_4_2][axis_4_2] -> [axis_4,axis_4_2]");
  CHECK(general_types("graph(%a: f32[4,4,2]) { %y = reshape(%a) {shape=[4,8]} return %y }") ==
        "[axis_4,axis_4_2,axis_2] -> [axis_4,axis_2*axis_4_2]");
  CHECK(general_types("graph(%a: f32[4,8]) { %y = reshape(%a) {shape=[4,4,2]} return %y }") ==
        "[axis_4,axis_2*axis_4_2] -> [axis_4,axis_4_2,axis_2]");
  CHECK(general_types("graph(%a: f32[4,4]) { %y = slice(%a) {axis=1, stop=3} return %y }") ==
        "[axis_4,axis_3+1] -> [axis_4,axis_3]");
  CHECK(general_types("graph(%a: f32[B,B]) { %y = transpose(%a) {perm=[1,0]} return %y }") ==
        "[axis_B,axis_B_2] -> [axis_B_2,axis_B]");
  CHECK(general_types("graph(%a: f32[4,1], %b: f32[4]) { %y = add(%a, %b) return %y }") ==
        "[axis_4,1][axis_4_2] -> [axis_4,axis_4_2]");
}

TEST_CASE("axes: the rows that lengths count get a size of their own") {
  const ir::Graph graph = ir::parse(kSquare);
  const ir::DistinctAxes distinct(graph);
  CHECK(distinct.apart());
  CHECK(types_of(distinct.graph()) == "[rows_4,4][steps_5,rows_4,4][4,4][rows_4] -> []");
  CHECK(ir::print(distinct.restored(distinct.graph())) == ir::print(graph));
}

TEST_CASE("axes: a loop's weight is not led by rows, though it is as large as the batch") {
  const ir::Graph g = ir::parse(kSquare);
  CHECK(ir::row_arguments(ir::OpView(g, g.nodes()[0])) ==
        std::vector<bool>{true, true, false, true});
}

TEST_CASE("axes: a graph whose rows have a symbol of their own stays as it is") {
  const ir::Graph graph = ir::parse(R"(
    graph(%s: f32[B,4], %x: f32[T,B,4], %len: s32[B]) {
      %o = scan(%s; %x; ; %len) {axes=[0]} (%s, %x, %live) { %n = add(%s, %x) yield %n }
      return %o
    })");
  CHECK(!ir::DistinctAxes(graph).changed());
}

TEST_CASE("axes: one symbol for the batch and a width is taken apart") {
  const ir::Graph graph = ir::parse(R"(
    graph(%s: f32[B,B], %x: f32[T,B,B], %W: f32[B,B], %len: s32[B]) {
      %o = scan(%s; %x; %W; %len) {axes=[0]}
      (%s, %x, %W, %live) { %a = matmul(%s, %W) %n = add(%a, %x) yield %n }
      return %o
    })");
  CHECK(types_of(ir::DistinctAxes(graph).graph()) ==
        "[rows_B,B][T,rows_B,B][B,B][rows_B] -> [rows_B,B]");
}

TEST_CASE("axes: where an op asks for one size of rows and widths nothing is told apart") {
  const ir::Graph graph = ir::parse(R"(
    graph(%s: f32[2,8], %x: f32[2,2], %n: s32[8]) {
      %r = reshape(%s) {shape=[8,2]}
      %m = length_mask(%n) {size=2}
      %y = select(%m, %r, %r)
      %z = matmul(%s, %y)
      return %z
    })");
  CHECK(!ir::DistinctAxes(graph).apart());
}

TEST_CASE("axes: passes keep the gradient of a weight as large as the batch") {
  const ir::Graph plain = autodiff::gradient(ir::parse(kSquare), "loss", {"W", "s", "x"});
  std::vector<ir::Array> in = tests::sample_arguments(ir::parse(kSquare), {}, 3);
  for (int64_t b = 0; b < 4; ++b) in[3].set_integer(b, 1 + b);
  const auto want = backends::reference::evaluate(plain, in);
  ir::PassContext context;
  const auto check = [&](const ir::Graph& graph, const std::string& what) {
    INFO(what << "\n" << ir::print(graph));
    ir::verify(graph);
    const auto got = backends::reference::evaluate(graph, in);
    for (size_t o = 0; o < want.size(); ++o)
      for (int64_t i = 0; i < want[o].size(); ++i)
        REQUIRE(got[o].at(i) == doctest::Approx(want[o].at(i)).epsilon(1e-12));
  };
  for (const ir::Pass& pass : ir::all_passes())
    check(pass.run(plain, context), std::string(pass.name));
  check(ir::run_passes(plain, ir::optimise_passes(), context).graph, "all");
  // And a symbolic batch gives the same.
  const ir::Graph symbolic = ir::with_sizes(ir::DistinctAxes(ir::parse(kSquare)).graph(),
                                            [](const ir::Dim& d) { return d; });
  check(ir::specialize(autodiff::gradient(symbolic, "loss", {"W", "s", "x"}),
                       {{"rows_4", 4}, {"steps_5", 5}}),
        "symbols");
}
