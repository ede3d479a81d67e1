// backends/onednn/machine/doctor.cpp -- looks at the running process and tells.
#include "backends/onednn/machine/doctor.h"

#include "backends/onednn/kernels/isa.h"
#include "backends/onednn/machine/compat.h"
#include "backends/onednn/machine/engine.h"
#include "backends/onednn/machine/environment.h"
#include "backends/onednn/machine/waiting.h"
#include "ir/error.h"

#include <dlfcn.h>
#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

namespace weft::onednn {
namespace {

using dnnl::memory;

std::vector<std::string> mapped_runtimes() {
  std::set<std::string> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t slash = line.find('/');
    if (slash == std::string::npos) continue;
    const std::string path = line.substr(slash), file = path.substr(path.rfind('/') + 1);
    for (const char* name : {"libomp", "libgomp", "libiomp"})
      if (file.rfind(name, 0) == 0) found.insert(path);
  }
  return {found.begin(), found.end()};
}

int task_count() {
  int n = 0;
  std::error_code error;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/self/task", error))
    ++n;
  return n;
}

std::string library_of(const char* symbol) {
  Dl_info info{};
  void* address = dlsym(RTLD_DEFAULT, symbol);
  return address != nullptr && dladdr(address, &info) != 0 && info.dli_fname != nullptr
             ? info.dli_fname
             : "";
}

std::string processor_isa() {
  __builtin_cpu_init();
  std::string s = __builtin_cpu_supports("avx2") ? "avx2" : "";
  if (__builtin_cpu_supports("fma")) s += " fma";
  if (__builtin_cpu_supports("avx512f")) s += " avx512f";
  if (__builtin_cpu_supports("avx512bw")) s += " avx512bw";
  if (__builtin_cpu_supports("avx512vnni")) s += " avx512vnni";
  return s.empty() ? "neither avx2 nor avx512" : s;
}

std::string isa_name(dnnl::cpu_isa isa) {
  switch (isa) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    default:
      return "isa " + std::to_string(static_cast<int>(isa));
  }
}

// Makes and runs a small product of each kind the lowerings make, and notes its implementation.
void try_matmuls(const Engine& engine, Diagnosis& d) {
  struct Case {
    const char* name;
    memory::dims a, as, b, bs, c, cs;
    bool bias;
  };
  const Case cases[] = {
      {"matmul", {64, 64}, {64, 1}, {64, 48}, {48, 1}, {64, 48}, {48, 1}, false},
      {"matmul, b transposed", {64, 64}, {64, 1}, {64, 48}, {1, 64}, {64, 48}, {48, 1}, false},
      {"matmul, padded rows", {64, 64}, {80, 1}, {64, 48}, {64, 1}, {64, 48}, {64, 1}, false},
      {"matmul with bias", {64, 64}, {64, 1}, {64, 48}, {48, 1}, {64, 48}, {48, 1}, true},
      {"matmul, batched",
       {4, 16, 64},
       {1024, 64, 1},
       {4, 64, 16},
       {1024, 16, 1},
       {4, 16, 16},
       {256, 16, 1},
       false},
  };
  for (const Case& c : cases) {
    const auto desc = [](const memory::dims& dims, const memory::dims& strides) {
      return memory::desc(dims, memory::data_type::f32, strides);
    };
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    std::optional<memory::desc> bias;
    if (c.bias) bias = desc({1, 48}, {48, 1});
    const auto pd = compat::matmul_desc(engine.dnnl(), desc(c.a, c.as), desc(c.b, c.bs), bias,
                                        desc(c.c, c.cs), attr);
    const std::string implementation = pd.impl_info_str();
    d.implementations.emplace_back(c.name, implementation);
    if (implementation.rfind("ref", 0) == 0)
      d.faults.push_back(std::string(c.name) + " runs oneDNN's reference loops (" + implementation +
                         "): this oneDNN build lacks JIT for the processor; install libdnnl from "
                         "the distribution, unset ONEDNN_MAX_CPU_ISA");
    dnnl::stream stream(engine.dnnl());
    dnnl::matmul(pd).execute(stream,
                             {{DNNL_ARG_SRC, memory(pd.src_desc(), engine.dnnl())},
                              {DNNL_ARG_WEIGHTS, memory(pd.weights_desc(), engine.dnnl())},
                              {DNNL_ARG_DST, memory(pd.dst_desc(), engine.dnnl())},
                              {DNNL_ARG_BIAS, c.bias ? memory(*bias, engine.dnnl()) : memory()},
                              {DNNL_ARG_SCRATCHPAD, memory(pd.scratchpad_desc(), engine.dnnl())}});
    stream.wait();
  }
}

bool has_code(const std::function<std::string()>& implementation) {
  try {
    return implementation().rfind("ref", 0) != 0;
  } catch (const dnnl::error&) {
    return false;
  }
}

// Small problems of each kind that Weft has ops for.
void try_others(const Engine& engine, Diagnosis& d) {
  const dnnl::engine& e = engine.dnnl();
  const dnnl::primitive_attr attr;
  using Type = memory::data_type;
  using Tag = memory::format_tag;
  const auto f32 = [](const memory::dims& dims, Tag tag) {
    return memory::desc(dims, Type::f32, tag);
  };
  const auto matmul = [&](const memory::dims& a, const memory::dims& b, const memory::dims& c,
                          Tag tag, Type type) {
    return [=, &e, &attr]() -> std::string {
      return compat::matmul_desc(e, {a, type, tag}, {b, type, tag}, std::nullopt,
                                 {c, Type::f32, tag}, attr)
          .impl_info_str();
    };
  };
  const memory::desc rows = f32({64, 512}, Tag::ab);
  const std::pair<const char*, std::function<std::string()>> cases[] = {
      {"softmax",
       [&] { return compat::softmax_desc(e, false, rows, rows, 1, attr).impl_info_str(); }},
      {"log_softmax",
       [&] { return compat::softmax_desc(e, true, rows, rows, 1, attr).impl_info_str(); }},
      {"softmax_grad",
       [&] { return compat::softmax_grad_desc(e, rows, rows, 1, attr).impl_info_str(); }},
      {"layer_norm",
       [&] {
         return compat::norm_desc(e, rows, rows, true, 1e-5F, dnnl::normalization_flags::none, attr)
             .impl_info_str();
       }},
      {"layer_norm_grad",
       [&] {
         return compat::norm_grad_desc(e, rows, rows, 1e-5F, dnnl::normalization_flags::none, attr)
             .impl_info_str();
       }},
      {"sum over the last axis",
       [&] {
         return compat::reduction_desc(e, dnnl::algorithm::reduction_sum, rows,
                                       f32({64, 1}, Tag::ab), attr)
             .impl_info_str();
       }},
      {"sum over the first axis",
       [&] {
         return compat::reduction_desc(e, dnnl::algorithm::reduction_sum, rows,
                                       f32({1, 512}, Tag::ab), attr)
             .impl_info_str();
       }},
      {"products of bf16", matmul({64, 512}, {512, 64}, {64, 64}, Tag::ab, Type::bf16)},
  };
  for (const auto& [name, implementation] : cases)
    if (!has_code(implementation)) d.reference_only.emplace_back(name);
}

int team_size() {
  int n = 0;
#pragma omp parallel
  {
#pragma omp single
    n = omp_get_num_threads();
  }
  return n;
}

bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error);
}

void judge(Diagnosis& d) {
  const auto holds = [](const std::string& path, const char* name) {
    return path.find(name) != std::string::npos;
  };
  if (!holds(d.gomp_parallel, "libomp") && !holds(d.gomp_parallel, "libiomp"))
    d.faults.push_back(
        "oneDNN's GOMP_parallel is that of " +
        (d.gomp_parallel.empty() ? "nothing" : d.gomp_parallel) +
        ", so two OpenMP runtimes start threads: link the program with LLVM's libomp (-lomp before "
        "-lgomp, no gcc -fopenmp at link), or run it with LD_PRELOAD=libomp.so.5");
  if (d.threads_after > d.threads_before)
    d.faults.push_back("the first primitive started " +
                       std::to_string(d.threads_after - d.threads_before) +
                       " more threads than Weft's own team: a second OpenMP runtime is at work; "
                       "link with LLVM's libomp only");
  if (d.team < d.processors && std::getenv("OMP_NUM_THREADS") == nullptr &&
      omp_get_thread_limit() >= d.processors)
    d.faults.push_back("a parallel region has " + std::to_string(d.team) + " threads on " +
                       std::to_string(d.processors) +
                       " processors: unset OMP_PROC_BIND and OMP_PLACES (libgomp's start-up pins "
                       "the first thread), pin with KMP_AFFINITY instead");
}

}  // namespace

Diagnosis diagnose() {
  Diagnosis d;
  const Crowding crowding;
  d.faults = mended_environment();
  if (undo_pinning())
    d.affinity_note = "libgomp had pinned the first thread to one processor; undone";
  d.processor_isa = processor_isa();
  if (const char* why = kernels::kernels_error()) {
    d.faults.emplace_back(why);
    return d;
  }
  const Engine engine;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) d.processors = CPU_COUNT(&set);
  d.team = team_size();
  d.threads_before = task_count();
  try_matmuls(engine, d);
  try_others(engine, d);
  d.threads_after = task_count();
  d.openmp_runtimes = mapped_runtimes();
  d.gomp_parallel = library_of("GOMP_parallel");
  choose_waiting();
  d.blocktime = kmp_get_blocktime();
  d.crowding = crowding.text();
  d.kernel_isa = kernels::info(kernels::isa()).name;
  d.onednn_isa = isa_name(dnnl::get_effective_cpu_isa());
  const dnnl_version_t* v = dnnl_version();
  d.onednn_version = ir::concat(v->major, ".", v->minor, ".", v->patch);
  judge(d);
  return d;
}

std::string Diagnosis::text() const {
  std::string s;
  const auto line = [&s](const std::string& what, const std::string& value) {
    s += what + std::string(what.size() < 26 ? 26 - what.size() : 1, ' ') + value + "\n";
  };
  line("processor", processor_isa);
  line("kernels", kernel_isa);
  line("oneDNN", onednn_version + ", " + onednn_isa);
  for (const std::string& path : openmp_runtimes)
    line("OpenMP runtime mapped",
         path + (same_file(path, gomp_parallel) ? ", which starts the threads"
                                                : ", which starts none"));
  if (!gomp_parallel.empty()) line("oneDNN's threads come from", gomp_parallel);
  line("processors", std::to_string(processors));
  line("team in a region", std::to_string(team));
  line("threads of the process", std::to_string(threads_before) + " before and " +
                                     std::to_string(threads_after) + " after the first primitive");
  line("waiting threads spin for", std::to_string(blocktime) + " ms");
  if (!affinity_note.empty()) line("affinity", affinity_note);
  if (!crowding.empty()) line("cores", crowding);
  for (const auto& [primitive, implementation] : implementations) line(primitive, implementation);
  for (const std::string& name : reference_only) line("oneDNN has only loops for", name);
  for (const auto& [what, why] : weft_is_best) line("Weft's is best for", what + ": " + why);
  for (const std::string& fault : faults) line("fault", fault);
  if (well())
    s += "all is well: one OpenMP runtime starts threads, on " +
         (team >= processors ? std::string("all processors")
                             : std::to_string(team) + " of " + std::to_string(processors) +
                                   " processors, as asked") +
         "; no reference primitives\n";
  return s;
}

}  // namespace weft::onednn
