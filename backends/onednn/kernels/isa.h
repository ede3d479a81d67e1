// backends/onednn/kernels/isa.h -- which instruction set the kernels run on.
//
// Every kernel is compiled for each of isa_list.h. The first call of any kernel, or of
// `kernels_error`, picks the most able set that the processor and the operating system offer; the
// environment variable WEFT_ISA, a set's name, limits the choice from above.
#pragma once
#include "backends/onednn/kernels/isa_list.h"

#include <span>

namespace weft::onednn::kernels {

#define WEFT_NAME(name, flags, available, gemm, bf16) name,
enum class Isa { WEFT_ISAS(WEFT_NAME) };
#undef WEFT_NAME

struct IsaInfo {
  Isa isa;
  const char* name;
  bool available;          // to this processor
  bool gemm_beats_onednn;  // our products, without weights packed beforehand
  bool multiplies_bf16;    // else products of bf16 are computed from f32, slower than those
};
std::span<const IsaInfo> isas();  // all, the least able first
const IsaInfo& info(Isa isa);

// Null when the kernels can run here, else one sentence that says why not. Calling a kernel in
// spite of it aborts with that sentence.
const char* kernels_error();

// The set in use.
Isa isa();

// For tests and benches: runs all later calls on `isa`; false (and no change) if it is unavailable.
// Not to be called while a kernel runs.
bool use_isa(Isa isa);

}  // namespace weft::onednn::kernels
