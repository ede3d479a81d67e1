// backends/onednn/kernels/isa.h -- which instruction set the kernels run on.
//
// Every kernel is compiled for AVX2+FMA and for AVX-512 (F, BW, DQ, VL). The first call of any
// kernel, or of `kernels_error`, picks the best set the processor and the operating system offer;
// the environment variable WEFT_ISA=avx2|avx512 limits the choice from above.
#pragma once

namespace weft::onednn::kernels {

enum class Isa { avx2, avx512 };

// Null when the kernels can run here, else one sentence that says why not. Calling a kernel in
// spite of it aborts with that sentence.
const char* kernels_error();

// The set in use.
Isa isa();
const char* name(Isa isa);

// True if this processor can run `isa`.
bool is_available(Isa isa);

// For tests and benches: runs all later calls on `isa`; false (and no change) if it is unavailable.
// Not to be called while a kernel runs.
bool use_isa(Isa isa);

}  // namespace weft::onednn::kernels
