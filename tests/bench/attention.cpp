// tests/bench/attention.cpp -- attention alone (workload W5), as a user writes it, through
// all passes: time, rate, share of the machine's peak, memory.
//
//   attention_bench [CASE...] [--seconds S] [--profile]
//
// Cases: mha-64-f, mha-64-fb, ... additive-200-fb (T, forward or forward + backward). mha: batch 8,
// 8 heads of 64 (4096: batch 1); causal-T: the same, causal; additive: batch 32, width 512. Prints
// a line of JSON a case, each measured in a process of its own. gflops counts 4*B*H*T*T*D forward
// and twice that backward, whatever is recomputed or skipped; gtanh counts one an element forward
// and one more backward. arena_mb is what the program plans besides operands and results
// (intermediate values, workspaces), rss_delta_mb what running added to them.
#include "autodiff/gradient.h"
#include "backends/backend.h"
#include "backends/onednn/kernels/peak.h"
#include "ir/passes/pipeline.h"
#include "ir/text/text.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

using namespace weft;

namespace {

constexpr const char* kHeads = R"(graph(%q: f32[B,H,T,D], %k: f32[B,H,T,D], %v: f32[B,H,T,D]) {
  %e = matmul(%q, %k) {transpose_b=true}
  %s = mul(%e, 0.125)
  %a = softmax(%s)
  %o = matmul(%a, %v)
  return %o
})";
constexpr const char* kCausal = R"(graph(%q: f32[B,H,T,D], %k: f32[B,H,T,D], %v: f32[B,H,T,D]) {
  %e = matmul(%q, %k) {transpose_b=true}
  %s = mul(%e, 0.125)
  %t = iota() {shape=[T,1], dtype=s32}
  %j = iota() {shape=[T], dtype=s32}
  %m = greater_equal(%t, %j)
  %x = select(%m, %s, -inf)
  %a = softmax(%x)
  %o = matmul(%a, %v)
  return %o
})";
constexpr const char* kAdditive =
    R"(graph(%q: f32[B,T,D], %k: f32[B,T,D], %v: f32[B,T,D], %va: f32[D]) {
  %q1 = reshape(%q) {shape=[B,T,1,D]}
  %k1 = reshape(%k) {shape=[B,1,T,D]}
  %u = add(%q1, %k1)
  %h = tanh(%u)
  %w = mul(%va, %h)
  %e = sum(%w) {axes=[-1]}
  %a = softmax(%e)
  %o = matmul(%a, %v)
  return %o
})";

struct Case {
  std::string name;
  const char* text;
  ir::Bindings sizes;
  bool backward;
  double flop, tanh;
};

Case case_of(const std::string& name) {
  const size_t first = name.find('-'), second = name.find('-', first + 1);
  if (first == std::string::npos || second == std::string::npos)
    throw std::runtime_error("no case '" + name + "'; cases are like mha-256-fb");
  const std::string kind = name.substr(0, first), what = name.substr(second + 1);
  const int64_t t = std::atoll(name.substr(first + 1, second - first - 1).c_str());
  const bool additive = kind == "additive";
  if ((!additive && kind != "mha" && kind != "causal") || t < 1 || (what != "f" && what != "fb"))
    throw std::runtime_error("no case '" + name + "'; cases are like mha-256-fb, additive-25-f");
  const bool backward = what == "fb";
  const int64_t b = additive ? 32 : t >= 4096 ? 1 : 8;
  const double pairs = static_cast<double>(b) * static_cast<double>(t) * static_cast<double>(t);
  if (additive)
    return {name,     kAdditive, {{"B", b}, {"T", t}, {"D", 512}},
            backward, 0,         pairs * 512 * (backward ? 2 : 1)};
  return {
      name,     kind == "mha" ? kHeads : kCausal,        {{"B", b}, {"H", 8}, {"T", t}, {"D", 64}},
      backward, 4 * pairs * 8 * 64 * (backward ? 3 : 1), 0};
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

long resident_kb() {
  long pages = 0, ignored = 0;
  std::ifstream("/proc/self/statm") >> ignored >> pages;
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

void measure(const Case& c, double seconds, bool profile) {
  ir::PassContext context;
  ir::Graph graph =
      ir::run_passes(ir::parse(c.text, c.name), ir::recognise_passes(), context, {}).graph;
  if (c.backward) {
    graph = autodiff::gradient(graph, "o", autodiff::float_arguments(graph), {.cotangent = true});
    graph = ir::run_passes(graph, ir::optimise_passes(), context, {}).graph;
  }
  const auto backend = backends::make_onednn();
  std::vector<ir::Array> arguments;
  uint32_t state = 1;
  for (const ir::Argument& a : graph.arguments()) {
    const ir::TensorType& type = graph.type(a.value);
    ir::Dims dims;
    for (const ir::Dim& d : type.shape) dims.push_back(d.value(c.sizes));
    ir::Array x(type.dtype, dims);
    for (int64_t i = 0; i < x.size(); ++i) {
      state = state * 1664525U + 1013904223U;
      x.set(i, static_cast<double>(state >> 8) * 0x1p-23 - 1);
    }
    arguments.push_back(std::move(x));
  }
  const auto executable = backend->compile(graph, c.sizes, {.profile = profile});
  std::vector<ir::Array> results = backends::allocate_results(graph, c.sizes);
  for (ir::Array& r : results) std::memset(r.raw(), 0, static_cast<size_t>(r.size()) * 4);
  const long before = resident_kb();
  executable->run(arguments, results);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const long delta = usage.ru_maxrss - before;
  executable->reset_timings();
  std::vector<double> times;
  for (const double start = now(); times.size() < 5 || now() - start < seconds;) {
    const double t = now();
    executable->run(arguments, results);
    times.push_back(now() - t);
  }
  std::sort(times.begin(), times.end());
  const auto peak = onednn::kernels::measure_peak(0.2);
  const double median = times[times.size() / 2];
  std::printf("{\"case\":\"W5-%s\",\"variant\":\"weft\",\"ms_median\":%.3f,\"ms_min\":%.3f,",
              c.name.c_str(), median * 1e3, times[0] * 1e3);
  if (c.flop > 0)
    std::printf("\"gflops\":%.1f,\"peak_gflops\":%.1f,\"share\":%.3f,\"share_best\":%.3f,",
                c.flop / median * 1e-9, peak.gflops, c.flop / median * 1e-9 / peak.gflops,
                c.flop / times[0] * 1e-9 / peak.gflops);
  else
    std::printf("\"gtanh\":%.3f,\"peak_gtanh\":%.3f,\"share\":%.3f,\"share_best\":%.3f,",
                c.tanh / median * 1e-9, peak.gtanh, c.tanh / median * 1e-9 / peak.gtanh,
                c.tanh / times[0] * 1e-9 / peak.gtanh);
  std::printf("\"arena_mb\":%.2f,\"rss_delta_mb\":%.1f,\"rss_mb\":%ld}\n",
              static_cast<double>(executable->arena_bytes()) / (1 << 20),
              static_cast<double>(delta) / 1024, usage.ru_maxrss / 1024);
  if (profile) std::printf("%s\n", executable->profile_text().c_str());
  std::fflush(stdout);
}

int run_apart(const Case& c, double seconds, bool profile) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      measure(c, seconds, profile);
      _exit(0);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
      _exit(1);
    }
  }
  int status = 1;
  waitpid(child, &status, 0);
  return status == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 1;
  bool profile = false;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
      seconds = std::atof(argv[++i]);
    else if (std::strcmp(argv[i], "--profile") == 0)
      profile = true;
    else
      names.emplace_back(argv[i]);
  }
  if (names.empty()) {
    for (const char* kind : {"mha", "causal"})
      for (const int t : {64, 128, 256, 512, 1024, 2048, 4096})
        for (const char* what : {"f", "fb"})
          names.push_back(std::string(kind) + "-" + std::to_string(t) + "-" + what);
    for (const int t : {25, 50, 100, 200})
      for (const char* what : {"f", "fb"})
        names.push_back("additive-" + std::to_string(t) + "-" + what);
  }
  int failed = 0;
  try {
    for (const std::string& n : names) failed |= run_apart(case_of(n), seconds, profile);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return failed;
}
