// tests/bench/shapes.cpp -- what a new shape costs, and that many of them leave memory flat.
//
//   shapes_bench [WORKLOAD] [--shapes N] [--run]
//
// Instantiates the workload's training graph for N different batches of sizes (default 5,000), one
// after the other, and with --run takes a step with each. Prints a line of JSON for every tenth of
// them: milliseconds an instantiation (median) and resident memory.
#include "backends/backend.h"
#include "frontend/compile/session.h"
#include "tests/bench/workloads.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

using namespace weft;

namespace {

double resident_mb() {
  long pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

// The i-th shape: lengths change fastest, then the number of rows.
bench::Workload shaped(const bench::Workload& w, int i) {
  bench::Workload s = w;
  s.source = 1 + i % w.source;
  s.target = 1 + i / static_cast<int>(w.source) % w.target;
  s.batch = std::max<int64_t>(1, w.batch - i / static_cast<int>(w.source * w.target));
  return s;
}

void measure(const bench::Workload& w, int shapes, bool run) {
  ProgramOptions options;
  options.backend = backends::make_onednn();
  options.cache_bytes = int64_t{256} << 20;
  Program program = Program::training(seq2seq::loss_graph(w.config), {}, options);
  ParameterStore store(1);
  ir::Array rate(ir::DType::f32, {});
  rate.set(0, 1e-3);
  std::vector<double> times;
  const int part = std::max(1, shapes / 10);
  for (int i = 0; i < shapes; ++i) {
    ir::NamedArrays batch = bench::random_batch(shaped(w, i), 7);
    batch.add("lr", rate);
    const double before = program.statistics().compile_seconds;
    if (run)
      program.run(store, batch);
    else
      program.executable(store, batch);
    times.push_back((program.statistics().compile_seconds - before) * 1e3);
    if ((i + 1) % part != 0) continue;
    std::sort(times.begin(), times.end());
    std::printf(
        "{\"case\":\"%s-shapes\",\"shapes\":%d,\"instantiate_ms\":%.2f,\"worst_ms\":%.2f,"
        "\"kept\":%ld,\"rss_mb\":%.0f}\n",
        w.name.c_str(), i + 1, times[times.size() / 2], times.back(),
        static_cast<long>(program.statistics().entries), resident_mb());
    std::fflush(stdout);
    times.clear();
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string name = "W1";
  int shapes = 5000;
  bool run = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--run") == 0)
      run = true;
    else if (std::strcmp(argv[i], "--shapes") == 0 && i + 1 < argc)
      shapes = std::max(1, std::atoi(argv[++i]));
    else
      name = argv[i];
  }
  try {
    measure(bench::workload(name), shapes, run);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
