// models/cli/graphs/bench.cpp -- weft bench: how fast a recipe's training step is, and what holds it back.
//
// Arithmetic is that of the matrix products of the forward pass, backward counted twice that; real
// arithmetic that of each sentence by itself, without padding.
#include "models/cli/graphs/bench.h"

#include "backends/backend.h"
#include "frontend/inspect/hot_kernels.h"
#include "frontend/inspect/memory.h"
#include "frontend/inspect/trace.h"
#include "models/cli/command.h"
#include "models/cli/graphs/subject.h"
#include "models/cli/options/engine_option.h"
#include "models/cli/options/precision_option.h"
#include "models/measure/arithmetic.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <memory>

namespace weft::cli {
namespace {

struct BenchOptions {
  std::string what, trace, budget, engine;
  std::vector<std::string> bind;
  int steps = 10, threads = 0;
  bool full = false;
  PrecisionOption precision;
};

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double peak_resident_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024e-6;
}

struct Measured {
  double median = 0, best = 0;  // seconds a step
  double peak_gflops = 0;
  measure::StepArithmetic arithmetic;
  double tokens = 0;  // target tokens that are no padding
};

Measured measured(Program& program, const ir::NamedArrays& batch, int steps) {
  ParameterStore store(1);
  program.run(store, batch);  // the first makes the executable and touches its memory
  std::vector<double> times;
  const double before = program.options().backend->peak_flops(0.2);
  for (int i = 0; i < steps; ++i) {
    const double start = seconds();
    program.run(store, batch);
    times.push_back(seconds() - start);
  }
  const double after = program.options().backend->peak_flops(0.2);
  std::sort(times.begin(), times.end());
  Measured m{.median = times[times.size() / 2],
             .best = times.front(),
             .peak_gflops = std::max(before, after) * 1e-9,
             .arithmetic = measure::step_arithmetic(program.stage("fused"), batch)};
  const ir::Array& lengths = batch.at("target_lengths");
  for (int64_t b = 0; b < lengths.size(); ++b) m.tokens += lengths.at(b);
  return m;
}

void bench(const BenchOptions& o) {
  o.precision.check();
  Subject subject = read_subject(o.what, o.bind, o.budget);
  subject.precision = o.precision.over(subject.precision);
  subject.sizes.full = o.full;
  const ir::NamedArrays batch = subject.batch();
  const std::shared_ptr<backends::Backend> backend = backend_with(o.engine);
  const auto options = [&] {
    ProgramOptions all = subject.options();
    all.backend = backend;
    return all;
  };
  const int most = o.threads > 0 ? o.threads : backend->threads();
  put(fmt::format("{}: training step, {} rows, source {}, target {}, {}\n\n", subject.title,
                  subject.sizes.rows, subject.sizes.source, subject.sizes.target,
                  o.full ? "every row full" : "random lengths"));
  put(fmt::format("{:>7} {:>10} {:>10} {:>10} {:>13} {:>14} {:>12}\n", "threads", "ms/step", "best",
                  "tokens/s", "peak, padded", "peak, real", "FMA peak"));
  double single = 0;
  for (int threads = 1; threads <= most; ++threads) {
    backend->use_threads(threads);
    Program program = subject.step(options());
    if (threads == 1 && program.budget()) say(program.budget()->text(subject.memory_budget));
    const Measured m = measured(program, batch, o.steps);
    const auto share = [&](double flops) { return flops / m.median * 1e-9 / m.peak_gflops; };
    put(fmt::format(
        "{:>7} {:>10.1f} {:>10.1f} {:>10.0f} {:>12.1f}% {:>13.1f}% {:>7.0f} GF/s{}\n", threads,
        m.median * 1e3, m.best * 1e3, m.tokens / m.median, share(m.arithmetic.padded) * 100,
        share(m.arithmetic.real) * 100, m.peak_gflops,
        threads > 1 ? fmt::format("   {:.2f} times one thread", single / m.median) : ""));
    if (threads == 1) single = m.median;
    if (threads < most) continue;
    ProgramOptions profiled = options();
    profiled.compile.profile = true;
    profiled.compile.trace = !o.trace.empty();
    Program timed = subject.step(profiled);
    ParameterStore store(1);
    timed.run(store, batch);
    timed.reset_timings();
    for (int i = 0; i < std::max(2, o.steps / 2); ++i) timed.run(store, batch);
    const backends::Report report = timed.executable(store, batch).report();
    put(fmt::format(
        "\narithmetic of a step: {:.2f} GFLOP padded, {:.2f} real; memory: arena {}, resident at "
        "most {:.0f} MB\n",
        m.arithmetic.padded * 1e-9, m.arithmetic.real * 1e-9,
        inspect::megabytes(report.memory.arena_bytes), peak_resident_megabytes()));
    const inspect::Hardware hardware{m.peak_gflops, backend->peak_bandwidth(0.1) * 1e-9};
    put("\n" + inspect::hot_kernels_text({&report, 1}, static_cast<double>(report.runs), hardware));
    if (!o.trace.empty()) put_result(o.trace, inspect::chrome_trace(report, m.peak_gflops));
  }
}

}  // namespace

void add_bench(Command& program) {
  Command* command = program.add_command(
      "bench", "Time a training step on random tokens, and say what holds it back",
      "weft bench pronounce.toml --threads 2");
  const auto o = std::make_shared<BenchOptions>();
  command->add_option("WHAT", o->what, "A recipe (.toml) or a model's folder");
  const Command* const attention = add_bench_attention(*command);
  command
      ->add_option(
          "--bind", o->bind,
          "Sizes, as in S=7: B rows of S and T tokens (default: the recipe's largest batch)")
      ->type_name("SYMBOL=SIZE");
  command->add_option("--steps", o->steps, "Steps timed; the median counts")
      ->in_range(1, 100000)
      ->show_default();
  command->add_option("--threads", o->threads, "From 1 up to this many (default: all)")
      ->in_range(1, 1024);
  command->add_flag("--full", o->full, "No padding: every row as long as the batch is wide");
  command
      ->add_option("--trace", o->trace,
                   "Write the last step for chrome://tracing or ui.perfetto.dev")
      ->type_name("FILE.json");
  command
      ->add_option("--memory-budget", o->budget,
                   "What a training step may take, parameters and optimiser state included, as in "
                   "200MB: less is kept, more computed again")
      ->type_name("SIZE");
  add_engine_option(*command, o->engine);
  o->precision.add_to(*command, "the recipe's, or f32");
  command->callback([o, attention] {
    if (attention->asked()) return;
    if (o->what.empty()) throw UsageError("bench needs a recipe, a model's folder or 'attention'");
    bench(*o);
  });
}

}  // namespace weft::cli
