// tests/bench/training.cpp -- milliseconds a training step, and the share of the FMA peak.
//
//   training_bench [WORKLOAD...] [--full] [--steps N] [--profile]
//
// Prints one line of JSON a workload. The peak is measured before and after; a step's operations
// are those of matrix products, backward counted twice the forward.
#include "backends/backend.h"
#include "backends/onednn/kernels/peak.h"
#include "frontend/session.h"
#include "tests/bench/workloads.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace weft;

namespace {

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void measure(const bench::Workload& w, bool full, int steps, bool profile) {
  const double start = seconds();
  const ir::Graph graph = rnn::loss_graph(w.config, false);
  ProgramOptions options;
  options.backend = backends::make_onednn();
  options.compile.profile = profile;
  Program program = Program::training(graph, {}, options);
  const double compiled = seconds();
  ParameterStore store(1);
  formats::NamedArrays batch = bench::random_batch(w, 7, full);
  ir::Array rate(ir::DType::f32, {});
  rate.set(0, 1e-3);
  batch.add("lr", rate);
  formats::NamedArrays results = program.run(store, batch);
  const double first = seconds();
  std::vector<double> times;
  for (int i = 0; i < steps; ++i) {
    const double t = seconds();
    results = program.run(store, batch);
    times.push_back((seconds() - t) * 1e3);
  }
  const auto peak = onednn::kernels::measure_peak(0.3);
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2];
  double tokens = 0;
  for (int64_t b = 0; b < w.batch; ++b) tokens += batch.at("target_lengths").at(b);
  const double padded = 3 * bench::forward_flop(w) / median / 1e6,
               real = 3 * bench::forward_flop(w, &batch) / median / 1e6;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "{\"case\":\"%s-train%s\",\"ms_median\":%.1f,\"ms_min\":%.1f,\"tokens_per_s\":%.0f,\"gflops_"
      "padded\":%.1f,\"gflops_real\":%.1f,"
      "\"peak_gflops\":%.1f,\"share_padded\":%.2f,\"share_real\":%.2f,\"rss_mb\":%ld,\"passes_ms\":"
      "%.0f,\"first_step_ms\":%.0f,\"loss\":%.4f}\n",
      w.name.c_str(), full ? "-full" : "", median, times[0], tokens / median * 1e3, padded, real,
      peak.gflops, padded / peak.gflops, real / peak.gflops, usage.ru_maxrss / 1024,
      (compiled - start) * 1e3, (first - compiled) * 1e3, results.at("loss").at(0));
  std::fflush(stdout);
  if (profile) std::printf("%s\n", program.executable(store, batch).profile_text().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  bool full = false, profile = false;
  int steps = 15;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--full") == 0)
      full = true;
    else if (std::strcmp(argv[i], "--profile") == 0)
      profile = true;
    else if (std::strcmp(argv[i], "--steps") == 0 && i + 1 < argc)
      steps = std::max(1, std::atoi(argv[++i]));
    else
      names.emplace_back(argv[i]);
  }
  if (names.empty())
    for (const bench::Workload& w : bench::training_workloads()) names.push_back(w.name);
  try {
    for (const std::string& n : names) measure(bench::workload(n), full, steps, profile);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
