// tests/property/backends_test.cpp -- the onednn backend against the reference on random graphs.
//
// Floats are f32 there and double here. Errors grow with depth: values agree to 2e-4 of the largest
// value of the output (a few units, some tens of ops deep, sums of up to a few hundred terms).
#include "autodiff/gradient.h"
#include "backends/backend.h"
#include "backends/reference/reference.h"
#include "ir/passes/pipeline.h"
#include "ir/text/text.h"
#include "tests/property/random_graph.h"
#include "tests/property/seeds.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace weft;

namespace {

constexpr double kTolerance = 2e-4;

std::string difference(const ir::Graph& graph, const std::vector<ir::Array>& want,
                       const std::vector<ir::Array>& got, double tolerance) {
  for (size_t o = 0; o < want.size(); ++o) {
    if (want[o].dims() != got[o].dims())
      return "output " + graph.outputs()[o].name + " has another shape";
    double scale = 1;
    for (int64_t i = 0; i < want[o].size(); ++i) scale = std::max(scale, std::fabs(want[o].at(i)));
    for (int64_t i = 0; i < want[o].size(); ++i)
      if (!(std::fabs(want[o].at(i) - got[o].at(i)) <= tolerance * scale))
        return ir::concat("output ", graph.outputs()[o].name, "[", i, "] should be ", want[o].at(i),
                          ", is ", got[o].at(i));
  }
  return "";
}

void check_backend(backends::Backend& backend, const ir::Graph& graph, const ir::Bindings& bindings,
                   const std::vector<ir::Array>& arguments, uint64_t seed,
                   double tolerance = kTolerance) {
  try {
    std::vector<ir::Array> rounded;
    for (const ir::Array& a : arguments)
      rounded.push_back(a.dtype() == ir::DType::f64 ? a.cast(ir::DType::f32) : a);
    const auto want = backends::reference::evaluate(graph, rounded, bindings);
    const auto executable = backend.compile(graph, bindings, {.poison = true});
    auto results = backends::allocate_results(graph, bindings);
    // Twice: the second run finds the arena used.
    for (int round = 0; round < 2; ++round) {
      executable->run(rounded, results);
      const std::string what = difference(graph, want, results, tolerance);
      if (!what.empty()) {
        FAIL_CHECK("seed " << seed << ", round " << round << ": " << what << "\n"
                           << ir::print(graph));
        return;
      }
    }
  } catch (const std::exception& e) {
    FAIL_CHECK("seed " << seed << ": " << std::string(e.what()) << "\n" << ir::print(graph));
  }
}

}  // namespace

TEST_CASE("onednn: random graphs give the reference's values in a poisoned arena") {
  const auto backend = backends::make_onednn();
  for (const uint64_t seed : tests::seeds(60)) {
    const ir::Graph graph = tests::random_graph(seed);
    const ir::Bindings bindings = tests::random_bindings(seed);
    check_backend(*backend, graph, bindings, tests::random_arguments(graph, bindings, seed), seed);
  }
}

TEST_CASE(
    "onednn: random graphs, recognised, differentiated and optimised, give the reference's "
    "gradients") {
  const auto backend = backends::make_onednn();
  for (const uint64_t seed : tests::seeds(60)) {
    const ir::Graph built = tests::random_graph(seed);
    const ir::Bindings bindings = tests::random_bindings(seed);
    ir::PassContext context;
    const ir::Graph recognised = ir::run_passes(built, ir::recognise_passes(), context).graph;
    const ir::Graph graph =
        ir::run_passes(
            autodiff::gradient(recognised, "loss", autodiff::float_arguments(recognised)),
            ir::optimise_passes(), context)
            .graph;
    check_backend(*backend, graph, bindings, tests::random_arguments(built, bindings, seed), seed);
  }
}

TEST_CASE("onednn: random graphs whose sizes coincide give the reference's values and gradients") {
  const auto backend = backends::make_onednn();
  const ir::Bindings bindings{{"B", 3}, {"T", 3}, {"S", 3}};
  for (const uint64_t seed : tests::seeds(90)) {
    const tests::RandomSizes sizes = tests::coinciding_sizes(seed);
    const ir::Graph built = tests::random_graph(seed, {.sizes = sizes});
    const auto arguments = tests::random_arguments(built, bindings, seed, sizes);
    check_backend(*backend, built, bindings, arguments, seed);
    const auto gradient = [](const ir::Graph& g) {
      return autodiff::gradient(g, "loss", autodiff::float_arguments(g));
    };
    check_backend(*backend, gradient(built), bindings, arguments, seed);
    ir::PassContext context;
    const ir::Graph recognised = ir::run_passes(built, ir::recognise_passes(), context).graph;
    check_backend(*backend,
                  ir::run_passes(gradient(recognised), ir::optimise_passes(), context).graph,
                  bindings, arguments, seed);
  }
}

// Casts and products are the same in both; but an f32 that errs in its last bits may round to
// another bf16 than the double does, which moves one factor of one term by 2^-8 of itself, and all that
// is made of it: 2^-6 of the largest value allows for some of them, some ops deep. Products of
// operands that are exact agree as those of f32 do: tests/onednn/precision_test.cpp.
TEST_CASE(
    "onednn: random graphs whose products read bf16 give the reference's values and gradients") {
  const auto backend = backends::make_onednn();
  const auto lowered = [](const ir::Graph& g) {
    ir::PassContext context;
    return ir::run_passes(g, ir::precision_passes(ir::Precision::bf16), context).graph;
  };
  int64_t products = 0;
  for (const uint64_t seed : tests::seeds(40)) {
    tests::RandomSizes sizes;
    sizes.width = 33;  // pairs, and one
    const ir::Graph built = tests::random_graph(seed, {.sizes = sizes});
    const ir::Bindings bindings = tests::random_bindings(seed);
    const auto arguments = tests::random_arguments(built, bindings, seed, sizes);
    check_backend(*backend, lowered(built), bindings, arguments, seed, 0x1p-6);
    ir::PassContext context;
    const ir::Graph recognised = ir::run_passes(built, ir::recognise_passes(), context).graph;
    const ir::Graph graph =
        lowered(ir::run_passes(
                    autodiff::gradient(recognised, "loss", autodiff::float_arguments(recognised)),
                    ir::optimise_passes(), context)
                    .graph);
    products += ir::print(graph).find("bf16") != std::string::npos ? 1 : 0;
    check_backend(*backend, graph, bindings, arguments, seed, 0x1p-6);
  }
  CHECK(products > 0);  // one in six
}
