// backends/onednn/kernels/dispatch.cpp -- chooses the instruction set once; forwards every kernel
// to it.
#include "backends/onednn/kernels/isa.h"
#include "backends/onednn/kernels/kernel_list.h"

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace weft::onednn::kernels {
namespace {

#define WEFT_TABLE(name, flags, available, gemm, bf16) &name::table,
const KernelTable* const kTables[] = {WEFT_ISAS(WEFT_TABLE)};  // by Isa
#undef WEFT_TABLE

const KernelTable* table_of(Isa isa) { return kTables[static_cast<size_t>(isa)]; }

struct Choice {
  const KernelTable* table = nullptr;
  std::string error;
};

std::string names() {
  std::string list;
  for (const IsaInfo& set : isas()) list += (list.empty() ? "" : ", ") + std::string(set.name);
  return list;
}

Choice choose() {
  const char* value = std::getenv("WEFT_ISA");
  const std::string_view limit = value == nullptr ? "" : value;
  Choice choice;
  bool known = limit.empty();
  for (const IsaInfo& set : isas()) {
    if (set.available) choice.table = table_of(set.isa);
    if (set.name == limit) {
      known = true;
      break;
    }
  }
  if (!known) return {nullptr, "WEFT_ISA is none of " + names()};
  if (choice.table == nullptr)
    choice.error = "this processor has no instruction set that Weft's kernels are for: " + names();
  return choice;
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
  std::fprintf(stderr, "weft: %s\n", dispatch().choice.error.c_str());
  std::abort();
}

}  // namespace

std::span<const IsaInfo> isas() {
#define WEFT_INFO(name, flags, available, gemm, bf16) {Isa::name, #name, available, gemm, bf16},
  static const auto all = [] {
    __builtin_cpu_init();
    return std::to_array<IsaInfo>({WEFT_ISAS(WEFT_INFO)});
  }();
#undef WEFT_INFO
  return all;
}

const IsaInfo& info(Isa isa) { return isas()[static_cast<size_t>(isa)]; }

const char* kernels_error() {
  const std::string& error = dispatch().choice.error;
  return error.empty() ? nullptr : error.c_str();
}

Isa isa() {
  const KernelTable* table = &kernels();
  size_t i = 0;
  while (kTables[i] != table) ++i;
  return isas()[i].isa;
}

bool use_isa(Isa isa) {
  if (!info(isa).available) return false;
  dispatch().table = table_of(isa);
  return true;
}

#define WEFT_FORWARD(result, function, arguments) \
  result function(const arguments& args) { return kernels().function(args); }
WEFT_KERNELS(WEFT_FORWARD)
#undef WEFT_FORWARD

}  // namespace weft::onednn::kernels
