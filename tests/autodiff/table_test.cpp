// tests/autodiff/table_test.cpp -- every op of the table has a derivative, samples and a doc line,
// and its derivative agrees with central differences on them.
#include "autodiff/rules/table.h"

#include "autodiff/gradient.h"
#include "backends/reference/reference.h"
#include "ir/ops/table.h"
#include "ir/rewrite/builder.h"
#include "ir/text/text.h"
#include "tests/support/check_gradient.h"
#include "tests/support/op_samples.h"
#include "tests/support/tolerance.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace weft;
using tests::Compared;

namespace {

// The graph with every fused op replaced by its expansion.
ir::Graph unfused(const ir::Graph& graph) {
  ir::Graph to;
  ir::Builder b(to);
  ir::Values map(static_cast<size_t>(graph.value_count()));
  for (const ir::Argument& a : graph.arguments())
    map[static_cast<size_t>(a.value.id)] =
        to.add_argument(graph.type(a.value), graph.info(a.value).name);
  for (const ir::Node& node : graph.nodes()) {
    ir::Values in;
    for (const ir::Value v : node.operands) in.push_back(map[static_cast<size_t>(v.id)]);
    const ir::Values out = node.op->expand != nullptr
                               ? ir::inline_graph(b, node.op->expand(ir::OpView(graph, node)), in)
                               : to.add_copy(graph, node, in);
    for (size_t i = 0; i < out.size(); ++i) map[static_cast<size_t>(node.results[i].id)] = out[i];
  }
  for (const ir::Output& o : graph.outputs())
    to.add_output(o.name, map[static_cast<size_t>(o.value.id)]);
  return to;
}

// Gradients of all outputs by all float arguments, with fixed cotangents.
std::vector<ir::Array> all_gradients(const ir::Graph& graph, const ir::Bindings& bindings,
                                     const std::vector<ir::Array>& at) {
  std::vector<ir::Array> all;
  const std::vector<ir::Array> values = backends::reference::evaluate(graph, at, bindings);
  for (size_t o = 0; o < values.size(); ++o) {
    if (!ir::is_float(values[o].dtype())) continue;
    const ir::Graph with = autodiff::gradient(
        graph, graph.outputs()[o].name, autodiff::float_arguments(graph), {.cotangent = true});
    std::vector<ir::Array> in = at;
    in.emplace_back(ir::DType::f64, values[o].dims());
    for (int64_t i = 0; i < in.back().size(); ++i)
      in.back().set(i, 0.5 + 0.1 * static_cast<double>(i % 7));
    const std::vector<ir::Array> out = backends::reference::evaluate(with, in, bindings);
    all.insert(all.end(), out.begin() + static_cast<std::ptrdiff_t>(values.size()), out.end());
  }
  return all;
}

}  // namespace

TEST_CASE("rules: the table is sorted and has every op, with samples that use it and a doc line") {
  const auto rules = autodiff::rule_table();
  CHECK(std::is_sorted(rules.begin(), rules.end(),
                       [](const auto* a, const auto* b) { return a->op->name < b->op->name; }));
  CHECK(rules.size() == ir::ops::table().size());
  for (const ir::OpDef* op : ir::ops::table()) {
    CAPTURE(std::string(op->name));
    CHECK(autodiff::find_rule(*op) != nullptr);
    CHECK(!op->doc.empty());
    const std::vector<ir::Graph> graphs = tests::samples(*op, 1);
    CHECK(!graphs.empty());
    for (const ir::Graph& g : graphs)
      CHECK(std::any_of(g.nodes().begin(), g.nodes().end(),
                        [&](const ir::Node& n) { return n.op == op; }));
  }
}

TEST_CASE("rules: every op's derivative agrees with central differences") {
  for (const ir::OpDef* op : ir::ops::table()) {
    const autodiff::VjpRule* rule = autodiff::find_rule(*op);
    if (rule == nullptr || rule->kind == autodiff::Derivative::none ||
        op == &ir::ops::stop_gradient)
      continue;
    CAPTURE(std::string(op->name));
    for (uint64_t seed = 1; seed <= 3; ++seed)
      for (const ir::Graph& graph : tests::samples(*op, seed))
        tests::check_gradient(graph, {.seed = seed, .directions = 1});
  }
}

TEST_CASE("rules: a fused op's derivative is that of its expansion") {
  for (const ir::OpDef* op : ir::ops::table()) {
    const autodiff::VjpRule* rule = autodiff::find_rule(*op);
    if (op->expand == nullptr || rule->kind == autodiff::Derivative::none) continue;
    CAPTURE(std::string(op->name));
    for (const ir::Graph& graph : tests::samples(*op, 5)) {
      CAPTURE(ir::print(graph));
      const ir::Bindings bindings = tests::sample_bindings(graph, 5);
      const std::vector<ir::Array> at = tests::sample_arguments(graph, bindings, 5);
      const std::vector<ir::Array> fused = all_gradients(graph, bindings, at),
                                   plain = all_gradients(unfused(graph), bindings, at);
      REQUIRE(fused.size() == plain.size());
      for (size_t i = 0; i < fused.size(); ++i)
        tests::check_close(fused[i], plain[i], tests::tolerance(ir::DType::f64, Compared::gradient),
                           "gradient " + std::to_string(i), 1e-3);
    }
  }
}

TEST_CASE("rules: updates of parameters are not differentiated") {
  for (const ir::OpDef* op :
       {&ir::ops::adam_update, &ir::ops::adadelta_update, &ir::ops::adafactor_update,
        &ir::ops::adagrad_update, &ir::ops::lion_update, &ir::ops::sgd_update,
        &ir::ops::moving_average})
    for (const ir::Graph& graph : tests::samples(*op, 1)) {
      std::string message;
      try {
        autodiff::gradient(graph, graph.outputs()[0].name,
                           {graph.info(graph.arguments()[0].value).name});
      } catch (const ir::GraphError& e) {
        message = e.what();
      }
      CHECK(message.find("[gradient.5]") != std::string::npos);
      CHECK(message.find(op->name) != std::string::npos);
    }
}
