// models/cli/graphs/bench_attention.cpp -- weft bench attention: a sliding window against all keys before.
//
// Self-attention of one sentence, written in plain ops and taken through all passes, as a model's
// would be. Memory is what the program plans besides queries, keys, values and results.
#include "autodiff/gradient.h"
#include "backends/backend.h"
#include "frontend/inspect/memory.h"
#include "frontend/weft.h"
#include "ir/passes/pipeline.h"
#include "models/cli/command.h"
#include "models/cli/graphs/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <memory>

namespace weft::cli {
namespace {

struct Options {
  int window = 256, heads = 4, width = 64;
  std::vector<int64_t> keys{1024, 4096, 16384};
  std::string score = "dot";
  int threads = 0;
};

// window: 0 for all keys up to the query's.
ir::Graph graph_of(const Options& o, int64_t window) {
  Model m("attention");
  const Dim t = dim("T");
  const bool dot = o.score == "dot";
  const Shape shape = dot ? Shape{1, o.heads, t, o.width} : Shape{1, t, o.width};
  const Tensor q = m.input("q", f32, shape), k = m.input("k", f32, shape),
               v = m.input("v", f32, shape);
  const Tensor mask = window > 0 ? window_mask(q, t, t, window - 1) : causal_mask(q, t, t);
  Tensor e;
  if (dot)
    e = matmul(q, k, {.transpose_b = true}) * (1 / std::sqrt(static_cast<double>(o.width)));
  else
    e = sum(m.input("v_a", f32, {o.width}) * tanh(expand(q, 2) + expand(k, 1)), -1);
  m.output("o", matmul(softmax(where(mask, e, -infinity)), v));
  return m.graph();
}

std::vector<ir::Array> random_arguments(const ir::Graph& graph, const ir::Bindings& sizes) {
  std::vector<ir::Array> arguments;
  uint32_t state = 1;
  for (const ir::Argument& a : graph.arguments()) {
    const ir::TensorType& type = graph.type(a.value);
    ir::Array x(type.dtype, ir::values(type.shape, sizes));
    for (int64_t i = 0; i < x.size(); ++i) {
      state = state * 1664525U + 1013904223U;
      x.set(i, static_cast<double>(state >> 8) * 0x1p-23 - 1);
    }
    arguments.push_back(std::move(x));
  }
  return arguments;
}

struct Measured {
  double milliseconds = 0;
  int64_t bytes = 0;
};

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The median of runs for a third of a second, at least one.
Measured measured(backends::Backend& backend, const ir::Graph& graph, int64_t keys) {
  const ir::Bindings sizes{{"T", keys}};
  const std::vector<ir::Array> arguments = random_arguments(graph, sizes);
  const auto executable = backend.compile(graph, sizes);
  std::vector<ir::Array> results = backends::allocate_results(graph, sizes);
  executable->run(arguments, results);  // the first touches its memory
  std::vector<double> times;
  for (const double start = seconds(); times.empty() || seconds() - start < 1.0 / 3;) {
    const double before = seconds();
    executable->run(arguments, results);
    times.push_back(seconds() - before);
  }
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2] * 1e3, executable->arena_bytes()};
}

struct Graphs {
  ir::Graph forward, both;  // both: with the gradients of everything
};

Graphs compiled(const ir::Graph& written) {
  ir::PassContext context;
  Graphs g;
  g.forward = ir::run_passes(written, ir::recognise_passes(), context, {}).graph;
  g.both =
      autodiff::gradient(g.forward, "o", autodiff::float_arguments(g.forward), {.cotangent = true});
  g.both = ir::run_passes(g.both, ir::optimise_passes(), context, {}).graph;
  g.forward = ir::run_passes(g.forward, ir::optimise_passes(), context, {}).graph;
  return g;
}

void bench(const Options& o) {
  const auto backend = backends::make_onednn();
  backend->use_threads(o.threads > 0 ? o.threads : backend->threads());
  const Graphs window = compiled(graph_of(o, o.window)), dense = compiled(graph_of(o, 0));
  put(o.score == "dot" ? fmt::format("dot attention, {} heads of {}", o.heads, o.width)
                       : fmt::format("additive attention of width {}", o.width));
  put(fmt::format(", causal: a window of {} keys against all\n\n", o.window));
  put(fmt::format("{:>7} {:<19} {:>10} {:>10} {:>7} {:>14} {:>12}\n", "keys", "", "window ms",
                  "dense ms", "times", "window memory", "dense memory"));
  for (const int64_t keys : o.keys)
    for (const bool backward : {false, true}) {
      const Measured near = measured(*backend, backward ? window.both : window.forward, keys);
      const Measured all = measured(*backend, backward ? dense.both : dense.forward, keys);
      put(fmt::format("{:>7} {:<19} {:>10.2f} {:>10.2f} {:>7.1f} {:>14} {:>12}\n", keys,
                      backward ? "forward + backward" : "forward", near.milliseconds,
                      all.milliseconds, all.milliseconds / near.milliseconds,
                      inspect::megabytes(near.bytes), inspect::megabytes(all.bytes)));
    }
}

// "1024,4096"
std::vector<int64_t> lengths_named(const std::string& text) {
  std::vector<int64_t> lengths;
  for (const char* at = text.c_str();; ++at) {
    int64_t n = 0;
    const auto [end, error] = std::from_chars(at, text.c_str() + text.size(), n);
    if (error != std::errc() || n < 1 || n > (1 << 22) || (*end != ',' && *end != '\0'))
      throw ir::GraphError(
          ir::concat("'", text, "' must be numbers from 1 to ", 1 << 22, ", separated by commas"));
    lengths.push_back(n);
    if (*(at = end) == '\0') return lengths;
  }
}

}  // namespace

Command* add_bench_attention(Command& bench_command) {
  Command* command = bench_command.add_command(
      "attention", "Time attention within a sliding window against attention to all keys before",
      "weft bench attention --window 256 --keys 1024,4096");
  const auto o = std::make_shared<Options>();
  const auto sized = [&](const char* name, int& value, const char* what) {
    command->add_option(name, value, what)->in_range(1, 1 << 24)->show_default();
  };
  sized("--window", o->window, "Keys that a query sees, its own among them");
  sized("--heads", o->heads, "Heads (of the dot score)");
  sized("--width", o->width, "Width of a head, or of the additive score");
  command
      ->add_option(
          "--keys", [o](const std::string& text) { o->keys = lengths_named(text); },
          "Lengths of the sentence, separated by commas")
      ->show_default("1024,4096,16384");
  command->add_option("--score", o->score, "dot or additive")
      ->one_of({"dot", "additive"})
      ->show_default();
  command->add_option("--threads", o->threads, "Threads (default: all)")->in_range(1, 1024);
  command->callback([o] { bench(*o); });
  return command;
}

}  // namespace weft::cli
