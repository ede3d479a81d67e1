// backends/onednn/kernels/narrow.cpp -- see narrow.h.
#include "backends/onednn/kernels/narrow.h"

#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"
#include "backends/onednn/kernels/vec/bf16.h"

namespace weft::onednn::kernels::WEFT_ISA {

// What is written stays behind what is read.
void narrow_rows(const NarrowRows& args) {
  parallel_for(args.rows, args.columns, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* const from = args.x + i * args.ld;
      auto* const to = reinterpret_cast<uint16_t*>(args.x + i * args.ld);
      int64_t j = 0;
      for (; j + kWidth <= args.columns; j += kWidth) store_bf16(to + j, load(from + j));
      if (j < args.columns) store_bf16(to + j, load(from + j, args.columns - j), args.columns - j);
    }
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
