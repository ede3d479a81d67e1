// tests/bench/ops.cpp -- milliseconds of single layers and ops, forward and with gradients.
//
//   ops_bench [CASE...] [--reps N] [--profile]
//
// W6: an LSTM and a GRU layer (reset after the product) of 512 over 64 x 50 x 512, softmax of
// 8192 x 8000, layer norm of 8192 x 512, products of 1024^3 and 1600x512x8000, the convolutions of a
// speech encoder's front end (8 x 3000 frames, windows of 3, 80 to 384 and 384 to 384 channels by
// twos) and of an image encoder's (16 images, patches of 16 x 16, 768 channels). A case is W6-NAME-f
// or, with the gradients of its input and parameters, W6-NAME-fb; a name without either does both.
// Prints one line of JSON a case; results are written to the same memory each time.
#include "autodiff/gradient.h"
#include "backends/backend.h"
#include "backends/onednn/kernels/peak.h"
#include "frontend/compile/session.h"
#include "frontend/weft.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

using namespace weft;

namespace {

struct Case {
  std::string name;
  bool backward;
  ir::Graph graph;  // with the result y
  double flop = 0;  // of the products of a forward pass
};

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

ir::Graph layer(CellKind kind) {
  Model m("layer");
  const Tensor x = m.input("x", f32, {50, 64, 512});
  m.output("y", recurrent(m.scope(), x, {}, 512, {.kind = kind}).outputs);
  return m.graph();
}

ir::Graph softmax_of() {
  Model m("softmax");
  m.output("y", softmax(m.input("x", f32, {8192, 8000})));
  return m.graph();
}

ir::Graph layer_norm_of() {
  Model m("layer_norm");
  m.output("y", layer_norm(m.scope(), m.input("x", f32, {8192, 512})));
  return m.graph();
}

ir::Graph product(int64_t rows, int64_t inner, int64_t columns) {
  Model m("matmul");
  m.output("y", matmul(m.input("x", f32, {rows, inner}), m.input("w", f32, {inner, columns})));
  return m.graph();
}

ir::Graph frames_conv(int64_t channels, int64_t stride) {
  Model m("conv");
  m.output("y", conv1d(m.scope(), m.input("x", f32, {8, 3000, channels}), 384, 3,
                       {.stride = stride, .padding = 1}));
  return m.graph();
}

ir::Graph patches() {
  Model m("conv");
  m.output("y", conv2d(m.scope(), m.input("x", f32, {16, 224, 224, 3}), 768, 16, {.stride = 16}));
  return m.graph();
}

std::vector<Case> cases() {
  const double rows = 64.0 * 50 * 2 * 512 * 2 * 512;  // of one gate
  std::vector<Case> all;
  for (const bool backward : {false, true}) {
    all.push_back({"lstm", backward, layer(CellKind::lstm), 4 * rows});
    all.push_back({"gru", backward, layer(CellKind::gru_after), 3 * rows});
    all.push_back({"softmax", backward, softmax_of()});
    all.push_back({"layernorm", backward, layer_norm_of()});
    all.push_back({"conv-80", backward, frames_conv(80, 1), 2.0 * 8 * 3000 * 3 * 80 * 384});
    all.push_back({"conv-384", backward, frames_conv(384, 2), 2.0 * 8 * 1500 * 3 * 384 * 384});
    all.push_back({"patches", backward, patches(), 2.0 * 16 * 196 * 768 * 768});
  }
  all.push_back({"matmul-1024", false, product(1024, 1024, 1024), 2.0 * 1024 * 1024 * 1024});
  all.push_back({"matmul-proj", false, product(1600, 512, 8000), 2.0 * 1600 * 512 * 8000});
  for (Case& c : all) c.name = "W6-" + c.name + (c.backward ? "-fb" : "-f");
  return all;
}

ir::Graph compiled(const Case& c) {
  ir::PassContext context;
  ir::Graph graph = ir::run_passes(c.graph, ir::recognise_passes(), context).graph;
  if (c.backward) {
    graph = autodiff::gradient(graph, "y", autodiff::float_arguments(graph), {.cotangent = true});
    graph = ir::run_passes(graph, ir::optimise_passes(), context).graph;
  }
  return graph;
}

ir::Array random_array(const ir::TensorType& type, uint32_t seed) {
  ir::Array a(type.dtype, ir::values(type.shape, {}));
  std::mt19937 generator(seed);
  std::normal_distribution<float> draw;
  auto* data = static_cast<float*>(a.raw());
  for (int64_t i = 0; i < a.size(); ++i) data[i] = draw(generator);
  return a;
}

void measure(const Case& c, int reps, bool profile) {
  const ir::Graph graph = compiled(c);
  ParameterStore store(1);
  store.prepare(graph);
  std::vector<ir::Array> arguments;
  for (const ir::Argument& a : graph.arguments())
    arguments.push_back(a.kind == ir::ArgumentKind::parameter
                            ? store.at(a.path)
                            : random_array(graph.type(a.value), 5));
  const auto executable = backends::make_onednn()->compile(graph, {}, {.profile = profile});
  std::vector<ir::Array> results = backends::allocate_results(graph, {});
  const auto run = [&] { executable->run(arguments, results); };
  run();
  executable->reset_timings();
  double start = seconds();
  run();
  const int inner = std::max(1, static_cast<int>(0.05 / std::max(seconds() - start, 1e-6)));
  std::vector<double> times;
  for (int r = 0; r < reps; ++r) {
    start = seconds();
    for (int i = 0; i < inner; ++i) run();
    times.push_back((seconds() - start) / inner * 1e3);
  }
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2], flop = c.backward ? 3 * c.flop : c.flop;
  const auto peak = onednn::kernels::measure_peak(0.2);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("{\"case\":\"%s\",\"variant\":\"weft\",\"ms_median\":%.4g,\"ms_min\":%.4g,",
              c.name.c_str(), median, times[0]);
  if (flop > 0) std::printf("\"gflop\":%.4g,\"gflops\":%.4g,", flop / 1e9, flop / median / 1e6);
  std::printf("\"peak_gflops\":%.1f,\"peak_rss_mb\":%ld}\n", peak.gflops, usage.ru_maxrss / 1024);
  std::fflush(stdout);
  if (profile) std::printf("%s\n", executable->profile_text().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  bool profile = false;
  int reps = 7;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--profile") == 0)
      profile = true;
    else if (std::strcmp(argv[i], "--reps") == 0 && i + 1 < argc)
      reps = std::max(1, std::atoi(argv[++i]));
    else
      names.emplace_back(argv[i]);
  }
  try {
    const std::vector<Case> all = cases();
    const auto chosen = [&](const Case& c, const std::string& name) {
      return name == c.name || "W6-" + name == c.name || name + "-f" == c.name ||
             name + "-fb" == c.name || "W6-" + name + "-f" == c.name ||
             "W6-" + name + "-fb" == c.name;
    };
    for (const std::string& name : names)
      if (std::none_of(all.begin(), all.end(), [&](const Case& c) { return chosen(c, name); })) {
        std::string known;
        for (const Case& c : all) known += (known.empty() ? "" : ", ") + c.name;
        throw ir::GraphError("there is no case '" + name + "'; there are " + known);
      }
    for (const Case& c : all)
      if (names.empty() || std::any_of(names.begin(), names.end(),
                                       [&](const std::string& name) { return chosen(c, name); }))
        measure(c, reps, profile);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
