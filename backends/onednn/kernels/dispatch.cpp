// backends/onednn/kernels/dispatch.cpp -- chooses the instruction set once; forwards every kernel
// to it.
#include "backends/onednn/kernels/isa.h"
#include "backends/onednn/kernels/kernel_list.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace weft::onednn::kernels {
namespace {

const KernelTable& table_of(Isa isa) { return isa == Isa::avx512 ? avx512::table : avx2::table; }

struct Choice {
  const KernelTable* table = nullptr;
  const char* error = nullptr;
};

Choice choose() {
  const char* limit = std::getenv("WEFT_ISA");
  const bool up_to_avx2 = limit != nullptr && std::strcmp(limit, "avx2") == 0;
  const bool up_to_avx512 = limit == nullptr || *limit == 0 || std::strcmp(limit, "avx512") == 0;
  if (!up_to_avx2 && !up_to_avx512) return {nullptr, "WEFT_ISA is neither avx2 nor avx512"};
  if (up_to_avx512 && is_available(Isa::avx512)) return {&avx512::table, nullptr};
  if (is_available(Isa::avx2)) return {&avx2::table, nullptr};
  return {nullptr, "this processor has no AVX2 and FMA, which every kernel of Weft needs"};
}

struct Dispatch {
  Dispatch() : choice(choose()), table(choice.table) {}
  Choice choice;
  std::atomic<const KernelTable*> table;
};

Dispatch& dispatch() {
  static Dispatch chosen;
  return chosen;
}

const KernelTable& kernels() {
  const KernelTable* table = dispatch().table.load(std::memory_order_relaxed);
  if (table != nullptr) return *table;
  std::fprintf(stderr, "weft: %s\n", dispatch().choice.error);
  std::abort();
}

}  // namespace

const char* kernels_error() { return dispatch().choice.error; }

Isa isa() { return &kernels() == &avx512::table ? Isa::avx512 : Isa::avx2; }

const char* name(Isa isa) { return isa == Isa::avx512 ? "avx512" : "avx2"; }

// The builtin asks the operating system too (XGETBV).
bool is_available(Isa isa) {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::avx2) return avx2;
  return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool use_isa(Isa isa) {
  if (!is_available(isa)) return false;
  dispatch().table = &table_of(isa);
  return true;
}

#define WEFT_FORWARD(result, function, arguments) \
  result function(const arguments& args) { return kernels().function(args); }
WEFT_KERNELS(WEFT_FORWARD)
#undef WEFT_FORWARD

}  // namespace weft::onednn::kernels
