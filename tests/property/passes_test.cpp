// tests/property/passes_test.cpp -- every pass keeps values, verifies, and changes nothing the
// second time.
//
// Values in double: a pass may reorder sums, so they agree to 1e-10 of the largest value, not to
// the bit. One that rounds is judged in backends_test.cpp, its graphs by the reference.
#include "autodiff/gradient.h"
#include "backends/reference/reference.h"
#include "ir/passes/pipeline.h"
#include "ir/text/text.h"
#include "ir/verify.h"
#include "tests/autodiff/unroll.h"
#include "tests/property/random_graph.h"
#include "tests/property/seeds.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace weft;

namespace {

constexpr double kTolerance = 1e-10;

struct Case {
  ir::Graph graph;
  ir::Bindings bindings;
  std::vector<ir::Array> arguments;
};

Case random_case(uint64_t seed, const tests::RandomSizes& sizes = {}) {
  Case c{tests::random_graph(seed, {.sizes = sizes}), tests::random_bindings(seed), {}};
  c.arguments = tests::random_arguments(c.graph, c.bindings, seed, sizes);
  return c;
}

// Sizes that ops alone tell apart; symbols that are left may be bound to the same, too.
Case coinciding_case(uint64_t seed) {
  const tests::RandomSizes sizes = tests::coinciding_sizes(seed);
  Case c{tests::random_graph(seed, {.sizes = sizes}), {{"B", 3}, {"T", 3}, {"S", 3}}, {}};
  c.arguments = tests::random_arguments(c.graph, c.bindings, seed, sizes);
  return c;
}

// "" or what differs.
std::string difference(const ir::Graph& a, const ir::Graph& b, const Case& c) {
  const auto x = backends::reference::evaluate(a, c.arguments, c.bindings);
  const auto y = backends::reference::evaluate(b, c.arguments, c.bindings);
  if (x.size() != y.size()) return "another number of outputs";
  for (size_t o = 0; o < x.size(); ++o) {
    if (x[o].dims() != y[o].dims()) return "output " + a.outputs()[o].name + " has another shape";
    double scale = 1;
    for (int64_t i = 0; i < x[o].size(); ++i) scale = std::max(scale, std::fabs(x[o].at(i)));
    for (int64_t i = 0; i < x[o].size(); ++i)
      if (!(std::fabs(x[o].at(i) - y[o].at(i)) <= kTolerance * scale) &&
          !(std::isnan(x[o].at(i)) && std::isnan(y[o].at(i))))
        return ir::concat("output ", a.outputs()[o].name, "[", i, "] was ", x[o].at(i), ", is ",
                          y[o].at(i));
  }
  return "";
}

ir::PassContext context() {
  ir::PassContext c;
  c.evaluate = [](const ir::Graph& g) { return backends::reference::evaluate(g, {}); };
  return c;
}

void check_pass(const ir::Pass& pass, const ir::Graph& graph, const Case& c, uint64_t seed) {
  INFO("seed " << seed << ", pass " << pass.name);
  ir::PassContext pass_context = context();
  try {
    const ir::Graph once = pass.run(graph, pass_context);
    ir::verify(once, std::string(pass.name));
    const std::string what = pass.rounds ? "" : difference(graph, once, c);
    if (!what.empty())
      FAIL_CHECK("seed " << seed << ", pass " << pass.name << ": " << what << "\n"
                         << ir::print(graph) << "\n--- became\n"
                         << ir::print(once));
    const ir::Graph twice = pass.run(once, pass_context);
    CHECK_MESSAGE(ir::canonical_text(twice) == ir::canonical_text(once),
                  "seed " << seed << ", pass " << pass.name << " changes its own result\n"
                          << ir::canonical_text(once) << "\n--- became\n"
                          << ir::canonical_text(twice));
  } catch (const std::exception& e) {
    FAIL_CHECK("seed " << seed << ", pass " << pass.name << ": " << std::string(e.what()) << "\n"
                       << ir::print(graph));
  }
}

std::vector<std::string> differentiable(const ir::Graph& g) { return autodiff::float_arguments(g); }

ir::Graph pipeline(const ir::Graph& g, std::span<const ir::Pass* const> passes) {
  ir::PassContext c = context();
  return ir::run_passes(g, passes, c).graph;
}

}  // namespace

TEST_CASE("passes: every pass keeps the values of random graphs and is idempotent") {
  for (const uint64_t seed : tests::seeds(60)) {
    const Case c = random_case(seed);
    ir::verify(c.graph);
    CHECK(ir::print(ir::parse(ir::print(c.graph))) == ir::print(c.graph));
    for (const ir::Pass& pass : ir::all_passes()) check_pass(pass, c.graph, c, seed);
  }
}

TEST_CASE("passes: every pass keeps the gradients of random graphs and is idempotent on them") {
  for (const uint64_t seed : tests::seeds(40)) {
    const Case c = random_case(seed);
    const ir::Graph graph = autodiff::gradient(c.graph, "loss", differentiable(c.graph));
    ir::verify(graph);
    for (const ir::Pass& pass : ir::all_passes()) check_pass(pass, graph, c, seed);
  }
}

TEST_CASE(
    "passes: the whole pipeline, before and after differentiation, keeps values and gradients") {
  for (const uint64_t seed : tests::seeds(100)) {
    const Case c = random_case(seed);
    INFO("seed " << seed);
    try {
      const ir::Graph plain = autodiff::gradient(c.graph, "loss", differentiable(c.graph));
      const ir::Graph recognised = pipeline(c.graph, ir::recognise_passes());
      const ir::Graph optimised =
          pipeline(autodiff::gradient(recognised, "loss", differentiable(recognised)),
                   ir::optimise_passes());
      const std::string what = difference(plain, optimised, c);
      if (!what.empty())
        FAIL_CHECK("seed " << seed << ": " << what << "\n"
                           << ir::print(c.graph) << "\n--- became\n"
                           << ir::print(optimised));
    } catch (const std::exception& e) {
      FAIL_CHECK("seed " << seed << ": " << std::string(e.what()) << "\n" << ir::print(c.graph));
    }
  }
}

TEST_CASE("passes: graphs whose sizes coincide keep values and gradients") {
  for (const uint64_t seed : tests::seeds(120)) {
    const Case c = coinciding_case(seed);
    INFO("seed " << seed);
    try {
      for (const ir::Pass& pass : ir::all_passes()) check_pass(pass, c.graph, c, seed);
      const ir::Graph plain = autodiff::gradient(c.graph, "loss", differentiable(c.graph));
      // What the loops mean, written out step by step: nothing there is about rows.
      const ir::Graph loopless = tests::unrolled(ir::specialize(c.graph, c.bindings));
      const std::string wrong =
          difference(autodiff::gradient(loopless, "loss", differentiable(loopless)), plain, c);
      if (!wrong.empty())
        FAIL_CHECK("seed " << seed << ": " << wrong << "\n"
                           << ir::print(c.graph) << "\n--- has the gradient\n"
                           << ir::print(plain));
      for (const ir::Pass& pass : ir::all_passes()) check_pass(pass, plain, c, seed);
      const ir::Graph recognised = pipeline(c.graph, ir::recognise_passes());
      const ir::Graph optimised =
          pipeline(autodiff::gradient(recognised, "loss", differentiable(recognised)),
                   ir::optimise_passes());
      const std::string what = difference(plain, optimised, c);
      if (!what.empty())
        FAIL_CHECK("seed " << seed << ": " << what << "\n"
                           << ir::print(c.graph) << "\n--- became\n"
                           << ir::print(optimised));
    } catch (const std::exception& e) {
      FAIL_CHECK("seed " << seed << ": " << std::string(e.what()) << "\n" << ir::print(c.graph));
    }
  }
}
