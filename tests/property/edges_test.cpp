// tests/property/edges_test.cpp -- at the edges of numbers a graph says the same as it is written,
// as each pass leaves it, as all of them do, in double and on the fast backend; gradients too.
//
// WEFT_EDGE_GRAPHS names a folder of further graphs (*.ir).
#include "autodiff/gradient.h"
#include "backends/backend.h"
#include "backends/reference/reference.h"
#include "ir/passes/pipeline.h"
#include "ir/text/text.h"
#include "tests/property/edge_graphs.h"
#include "tests/property/edge_values.h"
#include "tests/property/random_graph.h"
#include "tests/property/seeds.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace weft;
using tests::Edge;

namespace {

constexpr double kExact = 1e-10, kFloat = 2e-4;

struct Written {
  std::string name, except, rounds;
  ir::Graph graph, gradients, optimised;
};

ir::PassContext context() {
  ir::PassContext c;
  c.evaluate = [](const ir::Graph& g) { return backends::reference::evaluate(g, {}); };
  return c;
}

ir::Graph with_gradients(const ir::Graph& graph) {
  const auto floats = autodiff::float_arguments(graph);
  const ir::Output& first = graph.outputs()[0];
  return floats.empty() || !ir::is_float(graph.type(first.value).dtype)
             ? graph
             : autodiff::gradient(graph, first.name, floats);
}

Written written(const std::string& name, const std::string& text, std::string_view except,
                const std::string& rounds) {
  Written w{name, std::string(except), rounds, ir::parse(text, name + ".ir"), {}, {}};
  ir::PassContext c = context();
  w.gradients = with_gradients(w.graph);
  const ir::Graph recognised = ir::run_passes(w.graph, ir::recognise_passes(), c).graph;
  w.optimised = ir::run_passes(with_gradients(recognised), ir::optimise_passes(), c).graph;
  return w;
}

std::vector<Written> all_written() {
  std::vector<Written> all;
  for (const tests::EdgeGraph& g : tests::edge_graphs())
    all.push_back(written(
        std::string(g.name), std::string(g.text), g.except,
        (g.masks ? "huge tiny masking " : "huge tiny masking lowest ") + std::string(g.rounds)));
  if (const char* folder = std::getenv("WEFT_EDGE_GRAPHS"))
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      std::ostringstream text;
      text << std::ifstream(file.path()).rdbuf();
      all.push_back(
          written(file.path().stem().string(), text.str(), "", "huge tiny masking lowest"));
    }
  return all;
}

ir::Bindings bindings_of(const ir::Graph& graph, uint64_t seed) {
  ir::Bindings b;
  uint64_t i = seed;
  for (const std::string& s : graph.symbols()) b[s] = 1 + static_cast<int64_t>(i++ % 4);
  return b;
}

std::vector<ir::Array> as_floats(const std::vector<ir::Array>& arrays) {
  std::vector<ir::Array> rounded;
  for (const ir::Array& a : arrays)
    rounded.push_back(a.dtype() == ir::DType::f64 ? a.cast(ir::DType::f32) : a);
  return rounded;
}

// Values, or the message of what stopped it.
struct Outcome {
  std::vector<ir::Array> values;
  std::string error;
};

template <typename Run>
Outcome outcome(const Run& run) {
  try {
    return {run(), ""};
  } catch (const std::exception& e) {
    return {{}, e.what()};
  }
}

class Comparison {
 public:
  Comparison(const Written& w, Edge edge, uint64_t seed)
      : w_(w),
        edge_(edge),
        seed_(seed),
        bindings_(bindings_of(w.graph, seed)),
        arguments_(tests::edge_arguments(w.graph, bindings_, edge, seed)),
        truth_(reference(w.gradients)) {}

  Outcome reference(const ir::Graph& g) const {
    return outcome([&] { return backends::reference::evaluate(g, arguments_, bindings_); });
  }
  Outcome fast(const ir::Graph& g) const {
    return outcome([&] {
      static const auto backend = backends::make_onednn();
      const auto executable = backend->compile(g, bindings_, {.poison = true});
      auto results = backends::allocate_results(g, bindings_);
      executable->run(as_floats(arguments_), results);
      return results;
    });
  }
  const Outcome& truth() const { return truth_; }

  bool check(const char* way, const ir::Graph& g, const Outcome& want, const Outcome& got,
             const tests::Likeness& likeness) const {
    std::string what;
    if (want.error.empty() != got.error.empty())
      what = "should " + (want.error.empty() ? "run" : "stop: " + want.error) + ", but " +
             (got.error.empty() ? "runs" : "stops: " + got.error);
    else if (want.error.empty())
      what = tests::difference(w_.gradients, want.values, got.values, likeness);
    if (what.empty()) return true;
    const bool verbose = std::getenv("WEFT_BRIEF") == nullptr;
    FAIL_CHECK(
        w_.name << ", " << tests::name(edge_) << ", seed " << seed_ << ", " << way << ": " << what
                << (verbose ? "\n" + ir::print(w_.gradients) + "--- became\n" + ir::print(g) : ""));
    return false;
  }

 private:
  const Written& w_;
  Edge edge_;
  uint64_t seed_;
  ir::Bindings bindings_;
  std::vector<ir::Array> arguments_;
  Outcome truth_;
};

template <typename Check>
void for_all(const Check& check) {
  for (const Written& w : all_written())
    for (const Edge edge : tests::kEdges) {
      if (w.except.find(tests::name(edge)) != std::string::npos) continue;
      for (const uint64_t seed : tests::seeds(4))
        if (!check(w, edge, Comparison(w, edge, seed))) break;
    }
}

}  // namespace

TEST_CASE("edges: all passes together keep infinities, NaN, zeros and empty rows") {
  for_all([](const Written& w, Edge, const Comparison& c) {
    return c.check("optimised", w.optimised, c.truth(), c.reference(w.optimised), {kExact});
  });
}

TEST_CASE("edges: each pass alone keeps infinities, NaN, zeros and empty rows") {
  for_all([](const Written& w, Edge, const Comparison& c) {
    bool same = true;
    for (const ir::Pass& pass : ir::all_passes()) {
      ir::PassContext pass_context = context();
      const ir::Graph g = pass.run(w.gradients, pass_context);
      const std::string way = "after " + std::string(pass.name);
      same = c.check(way.c_str(), g, c.truth(), c.reference(g), {kExact}) && same;
    }
    return same;
  });
}

TEST_CASE("edges: random graphs keep zeros, equal rows and saturated values through all passes") {
  for (const uint64_t seed : tests::seeds(40)) {
    Written w{"random graph " + std::to_string(seed), "", "", tests::random_graph(seed), {}, {}};
    const auto floats = autodiff::float_arguments(w.graph);
    ir::PassContext c = context();
    w.gradients = autodiff::gradient(w.graph, "loss", floats);
    const ir::Graph recognised = ir::run_passes(w.graph, ir::recognise_passes(), c).graph;
    w.optimised =
        ir::run_passes(autodiff::gradient(recognised, "loss", floats), ir::optimise_passes(), c)
            .graph;
    const auto bindings = tests::random_bindings(seed);
    const auto ordinary = tests::random_arguments(w.graph, bindings, seed);
    for (const Edge edge : {Edge::zeros, Edge::equal, Edge::saturated, Edge::masking, Edge::tiny}) {
      auto arguments = tests::edge_arguments(w.graph, bindings, edge, seed);
      for (size_t i = 0; i < arguments.size(); ++i)  // indices and lengths as they must be
        if (!ir::is_float(ordinary[i].dtype())) arguments[i] = ordinary[i];
      const auto run = [&](const ir::Graph& g) {
        return outcome([&] { return backends::reference::evaluate(g, arguments, bindings); });
      };
      const Outcome truth = run(w.gradients), got = run(w.optimised);
      const std::string what =
          truth.error != got.error
              ? "stops: " + truth.error + got.error
              : tests::difference(w.gradients, truth.values, got.values, {1e-8});
      if (!what.empty())
        FAIL_CHECK(w.name << ", " << tests::name(edge) << ": " << what << "\n"
                          << (std::getenv("WEFT_BRIEF") ? "" : ir::print(w.graph)));
    }
  }
}

TEST_CASE("edges: the fast backend says what the reference says, as written and optimised") {
  for_all([](const Written& w, Edge edge, const Comparison& c) {
    if (w.rounds.find(tests::name(edge)) != std::string::npos) return true;
    const tests::Likeness near{kFloat, true};
    const bool a = c.check("onednn as written", w.gradients, c.truth(), c.fast(w.gradients), near);
    return c.check("onednn optimised", w.optimised, c.truth(), c.fast(w.optimised), near) && a;
  });
}
