// backends/onednn/kernels/index.cpp -- tensors made of positions.
#include "backends/onednn/kernels/index.h"

#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

#include <string.h>

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

template <class T>
void iota_as(const Iota& args) {
  auto* y = static_cast<T*>(args.y);
  parallel_for(args.outer * args.n, args.inner, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T value = static_cast<T>(args.start + args.step * (i % args.n));
      for (int64_t c = 0; c < args.inner; ++c) y[i * args.inner + c] = value;
    }
  });
}

}  // namespace

void one_hot(const OneHot& args) {
  parallel_for(args.n, args.depth, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* y = args.y + i * args.depth;
      memset(y, 0, static_cast<size_t>(args.depth) * 4);
      const int64_t at = args.index_dtype == DType::s64
                             ? static_cast<const int64_t*>(args.index)[i]
                             : static_cast<const int32_t*>(args.index)[i];
      if (at >= 0 && at < args.depth) y[at] = 1;
    }
  });
}

void iota(const Iota& args) {
  switch (args.dtype) {
    case DType::f32:
      return iota_as<float>(args);
    case DType::s64:
      return iota_as<int64_t>(args);
    default:
      return iota_as<int32_t>(args);
  }
}

void length_mask(const LengthMask& args) {
  parallel_for(args.batch, args.size, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t length = larger(0, smaller(args.size, args.lengths[b]));
      memset(args.y + b * args.size, 1, static_cast<size_t>(length));
      memset(args.y + b * args.size + length, 0, static_cast<size_t>(args.size - length));
    }
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
