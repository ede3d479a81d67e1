// backends/onednn/kernels/elementwise_ops.h -- the inner loop of each opcode, by dtype.
//
// An inner loop computes n elements; an operand is contiguous, or one repeated value where its flag
// says so. dst may be an operand of the same width.
#pragma once
#include "backends/onednn/kernels/elementwise_plan.h"
#include "backends/onednn/kernels/vec/vec.h"

namespace weft::onednn::kernels::WEFT_ISA {

struct Source {
  const void* data;
  bool repeated;
};

using InnerLoop = void (*)(int64_t n, void* dst, Source a, Source b, Source c);

InnerLoop inner_loop(Opcode op, DType from, DType to);

}  // namespace weft::onednn::kernels::WEFT_ISA
