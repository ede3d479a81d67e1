// tests/bench/training.cpp -- milliseconds a training step, and the share of the FMA peak.
//
//   training_bench [WORKLOAD...] [--padding SHARE,...] [--without PASS,...] [--steps N] [--profile]
//                  [--table] [--memory] [--precision f32|bf16] [--engines NAME,...]
//
// Prints one line of JSON a workload and share of padding (default 0.3; 0: every length is full),
// or a table of real target tokens per second by share of padding. The peak is the median of
// measurements between the steps; a step's operations are those of matrix products, backward
// counted twice the forward. --profile: where the time goes, by kernel; --memory: who holds the
// arena, step by step. --engines: steps of each engine in turns, and how much of the first one's
// speed the others have (docs/decisions/0011), by the clock and by the processor's time.
#include "backends/backend.h"
#include "backends/onednn/kernels/peak.h"
#include "frontend/compile/session.h"
#include "frontend/inspect/hot_kernels.h"
#include "frontend/inspect/memory.h"
#include "tests/bench/workloads.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

using namespace weft;

namespace {

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Options {
  std::vector<std::string> workloads, without;
  std::vector<double> paddings{0.3};
  int steps = 15;
  ir::Precision precision = ir::Precision::f32;
  bool profile = false, table = false, memory = false;
  std::vector<backends::EngineChoice> engines;
};

// Of a step.
struct Cost {
  double wall_ms = 0, cpu_ms = 0;
};

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// A workload's training step, compiled once.
class Bench {
 public:
  Bench(const bench::Workload& w, const Options& options,
        std::optional<backends::EngineChoice> engine = {})
      : w_(w),
        options_(options),
        engine_(engine),
        program_(Program::training(graph_of(w), {}, program_options())) {
    passes_ms_ = (seconds() - start_) * 1e3;
  }

  // One step; the batch is the same in each.
  Cost step(double padding) {
    if (batch_.size() == 0) batch_ = batch_of(padding);
    const double wall = seconds(), cpu = cpu_seconds();
    program_.run(store_, batch_);
    return {(seconds() - wall) * 1e3, (cpu_seconds() - cpu) * 1e3};
  }
  Program& program() { return program_; }

  // Prints a line unless there is to be a table; returns real target tokens per second.
  double measure(double padding) {
    const ir::NamedArrays batch = batch_of(padding);
    double t = seconds();
    ir::NamedArrays results = program_.run(store_, batch);
    const double first_ms = (seconds() - t) * 1e3;
    program_.reset_timings();
    std::vector<double> times, peaks;  // in turns: both move with what else the host does
    for (int i = 0; i < options_.steps; ++i) {
      t = seconds();
      results = program_.run(store_, batch);
      times.push_back((seconds() - t) * 1e3);
      if (!options_.table) peaks.push_back(onednn::kernels::measure_peak(0.03).gflops);
    }
    std::sort(times.begin(), times.end());
    std::sort(peaks.begin(), peaks.end());
    const double median = times[times.size() / 2];
    double tokens = 0;
    for (int64_t b = 0; b < w_.batch; ++b) tokens += batch.at("target_lengths").at(b);
    if (options_.table) return tokens / median * 1e3;
    const double peak = peaks[peaks.size() / 2];
    const double padded = 3 * bench::forward_flop(w_) / median / 1e6,
                 real = 3 * bench::forward_flop(w_, &batch) / median / 1e6;
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::printf(
        "{\"case\":\"%s-train%s\",\"padding\":%.2f,\"ms_median\":%.1f,\"ms_min\":%.1f,"
        "\"tokens_per_s\":%.0f,\"gflops_padded\":%.1f,\"gflops_real\":%.1f,\"peak_gflops\":%.1f,"
        "\"share_padded\":%.2f,\"share_real\":%.2f,\"rss_mb\":%ld,\"arena_mb\":%.1f,\"passes_ms\":%"
        ".0f,"
        "\"first_step_ms\":%.0f,\"loss\":%.4f}\n",
        w_.name.c_str(), options_.precision == ir::Precision::bf16 ? "-bf16" : "",
        1 - tokens / static_cast<double>(w_.batch * w_.target), median, times[0],
        tokens / median * 1e3, padded, real, peak, padded / peak, real / peak,
        usage.ru_maxrss / 1024,
        static_cast<double>(program_.executable(store_, batch).arena_bytes()) * 1e-6, passes_ms_,
        first_ms, results.at("loss").at(0));
    std::fflush(stdout);
    if (options_.memory)
      std::printf("%s\n", inspect::memory_text(program_.graph(),
                                               program_.executable(store_, batch).report().memory)
                              .c_str());
    if (options_.profile) {
      const inspect::Hardware hardware{peak, onednn::kernels::measure_bandwidth(0.1)};
      std::printf("%s\n",
                  inspect::hot_kernels_text(program_.reports(), options_.steps, hardware).c_str());
    }
    return tokens / median * 1e3;
  }

 private:
  ir::NamedArrays batch_of(double padding) const {
    ir::NamedArrays batch = bench::random_batch(w_, 7, padding);
    ir::Array rate(ir::DType::f32, {});
    rate.set(0, 1e-3);
    batch.add("lr", rate);
    return batch;
  }
  static ir::Graph graph_of(const bench::Workload& w) { return seq2seq::loss_graph(w.config); }
  ProgramOptions program_options() const {
    ProgramOptions options;
    options.backend = backends::make_onednn();
    options.compile.profile = options_.profile;
    options.compile.engine = engine_;
    options.disabled_passes = options_.without;
    options.precision = options_.precision;
    return options;
  }

  const double start_ = seconds();
  const bench::Workload& w_;
  const Options& options_;
  const std::optional<backends::EngineChoice> engine_;
  Program program_;
  ParameterStore store_{1};
  ir::NamedArrays batch_;
  double passes_ms_ = 0;
};

void print_table(const Options& options) {
  std::printf("| real target tokens per second, share of padding |");
  for (const double p : options.paddings) std::printf(" %g |", p);
  std::printf("\n|---|");
  for (size_t i = 0; i < options.paddings.size(); ++i) std::printf("---|");
  for (const std::string& name : options.workloads) {
    Bench bench(bench::workload(name), options);
    std::printf("\n| %s |", name.c_str());
    for (const double p : options.paddings) {
      std::printf(" %.0f |", bench.measure(p));
      std::fflush(stdout);
    }
  }
  std::printf("\n");
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Steps in turns. The ratio is the median of those of a turn: what slows one down slows its
// neighbour too.
void compare_engines(const bench::Workload& w, double padding, const Options& options) {
  std::vector<std::unique_ptr<Bench>> benches;
  for (const backends::EngineChoice engine : options.engines) {
    benches.push_back(std::make_unique<Bench>(w, options, engine));
    benches.back()->step(padding);
    benches.back()->program().reset_timings();
  }
  std::vector<std::vector<double>> wall(benches.size()), cpu(benches.size()), wall_ratio(wall),
      cpu_ratio(cpu);
  for (int i = 0; i < options.steps; ++i)
    for (size_t k = 0; k < benches.size(); ++k) {
      const Cost cost = benches[k]->step(padding);
      wall[k].push_back(cost.wall_ms), cpu[k].push_back(cost.cpu_ms);
      wall_ratio[k].push_back(wall[0].back() / cost.wall_ms);
      cpu_ratio[k].push_back(cpu[0].back() / cost.cpu_ms);
    }
  for (size_t k = 0; k < benches.size(); ++k) {
    std::printf(
        "{\"case\":\"%s-train\",\"engine\":\"%s\",\"ms_median\":%.1f,\"ms_min\":%.1f,"
        "\"speed\":%.3f,\"speed_of_min\":%.3f,\"speed_by_cpu\":%.3f}\n",
        w.name.c_str(), std::string(backends::name(options.engines[k])).c_str(), median(wall[k]),
        *std::min_element(wall[k].begin(), wall[k].end()), median(wall_ratio[k]),
        *std::min_element(wall[0].begin(), wall[0].end()) /
            *std::min_element(wall[k].begin(), wall[k].end()),
        median(cpu_ratio[k]));
    std::fflush(stdout);
    if (options.profile)
      std::printf("%s\n", inspect::hot_kernels_text(benches[k]->program().reports(), options.steps,
                                                    {onednn::kernels::measure_peak(0.1).gflops,
                                                     onednn::kernels::measure_bandwidth(0.1)},
                                                    400)
                              .c_str());
  }
}

std::vector<std::string> parts(const std::string& list) {
  std::vector<std::string> out;
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');) out.push_back(part);
  return out;
}

Options options_of(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--profile") {
      o.profile = true;
    } else if (option == "--table") {
      o.table = true;
    } else if (option == "--memory") {
      o.memory = true;
    } else if (option.rfind("--", 0) != 0) {
      o.workloads.push_back(option);
    } else if (i + 1 == argc) {
      throw ir::GraphError("error: " + option + " needs a value, or is unknown");
    } else if (option == "--steps") {
      o.steps = std::max(1, std::atoi(argv[++i]));
    } else if (option == "--precision") {
      o.precision = argv[++i] == std::string("bf16") ? ir::Precision::bf16 : ir::Precision::f32;
    } else if (option == "--engines") {
      for (const std::string& name : parts(argv[++i]))
        o.engines.push_back(backends::engine_named(name));
    } else if (option == "--without") {
      o.without = parts(argv[++i]);
    } else if (option == "--padding") {
      o.paddings.clear();
      for (const std::string& p : parts(argv[++i])) o.paddings.push_back(std::atof(p.c_str()));
    } else {
      throw ir::GraphError("error: " + option + " is unknown");
    }
  }
  if (o.workloads.empty()) o.workloads = {"W1", "W2", "W2b"};
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = options_of(argc, argv);
    if (options.table) {
      print_table(options);
      return 0;
    }
    for (const std::string& name : options.workloads) {
      if (!options.engines.empty()) {
        for (const double p : options.paddings) compare_engines(bench::workload(name), p, options);
        continue;
      }
      Bench bench(bench::workload(name), options);
      for (const double p : options.paddings) bench.measure(p);
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
