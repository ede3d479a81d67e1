// backends/onednn/kernels/copy.cpp -- moving elements without looking at them.
#include "backends/onednn/kernels/copy.h"

#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

#include <string.h>

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

inline constexpr int64_t kTile = 16;      // of a transpose: one cache line of floats each way
inline constexpr int64_t kRun = 1 << 12;  // of a single loop, what a thread takes at a time

// The loops of a copy, outermost first; the last one is the most contiguous in dst.
struct Nest {
  int rank = 0;
  int64_t shape[kMaxRank], src[kMaxRank], dst[kMaxRank];
};

Nest collapse(const CopyStrided& args) {
  int order[kMaxRank], dims = 0;
  for (int d = 0; d < args.rank; ++d)
    if (args.shape[d] != 1) order[dims++] = d;
  for (int i = 1; i < dims; ++i)  // by the strides of dst, largest first; stable
    for (int j = i; j > 0 && args.dst_strides[order[j - 1]] < args.dst_strides[order[j]]; --j) {
      const int other = order[j];
      order[j] = order[j - 1];
      order[j - 1] = other;
    }
  Nest nest;
  for (int i = 0; i < dims; ++i) {
    const int d = order[i];
    const int64_t size = args.shape[d], src = args.src_strides[d], dst = args.dst_strides[d];
    const int last = nest.rank - 1;
    if (nest.rank > 0 && nest.src[last] == src * size && nest.dst[last] == dst * size) {
      nest.shape[last] *= size;
    } else {
      nest.shape[nest.rank++] = size;
    }
    nest.src[nest.rank - 1] = src;
    nest.dst[nest.rank - 1] = dst;
  }
  if (nest.rank == 0) nest.shape[0] = nest.src[0] = nest.dst[0] = nest.rank = 1;
  return nest;
}

template <class T>
void copy_row(int64_t n, T* dst, int64_t dst_stride, const T* src, int64_t src_stride) {
  if (dst_stride == 1 && src_stride == 1) {
    memcpy(dst, src, (size_t)n * sizeof(T));
  } else if (dst_stride == 1 && src_stride == 0) {
    const T value = *src;
    for (int64_t i = 0; i < n; ++i) dst[i] = value;
  } else {
    for (int64_t i = 0; i < n; ++i) dst[i * dst_stride] = src[i * src_stride];
  }
}

// dst[i*dst_row + j] = src[i + j*src_column], a tile at a time.
template <class T>
void transpose(int64_t rows, int64_t columns, T* dst, int64_t dst_row, const T* src,
               int64_t src_column) {
  for (int64_t i0 = 0; i0 < rows; i0 += kTile)
    for (int64_t j0 = 0; j0 < columns; j0 += kTile)
      for (int64_t i = i0; i < smaller(rows, i0 + kTile); ++i)
        for (int64_t j = j0; j < smaller(columns, j0 + kTile); ++j)
          dst[i * dst_row + j] = src[i + j * src_column];
}

template <class T>
void copy_as(const CopyStrided& args) {
  Nest nest = collapse(args);
  int64_t total = 1;
  for (int d = 0; d < nest.rank; ++d) total *= nest.shape[d];
  if (total == 0) return;
  if (nest.rank == 1) {
    const T* src = static_cast<const T*>(args.src);
    T* dst = static_cast<T*>(args.dst);
    parallel_for(ceil_div(total, kRun), smaller(total, kRun), [&](int64_t begin, int64_t end) {
      const int64_t at = begin * kRun;
      copy_row(smaller(end * kRun, total) - at, dst + at * nest.dst[0], nest.dst[0],
               src + at * nest.src[0], nest.src[0]);
    });
    return;
  }
  const int last = nest.rank - 1;
  const int64_t n = nest.shape[last];
  // The loop that is contiguous in src, if it is not the last: made second to last.
  bool transposes = false;
  for (int d = 0; d < last && nest.dst[last] == 1 && nest.src[last] > 1; ++d)
    if (nest.src[d] == 1 && nest.shape[d] >= 4) {
      const int64_t shape = nest.shape[d], dst = nest.dst[d];
      for (int k = d; k < last - 1; ++k)
        nest.shape[k] = nest.shape[k + 1], nest.src[k] = nest.src[k + 1],
        nest.dst[k] = nest.dst[k + 1];
      nest.shape[last - 1] = shape, nest.src[last - 1] = 1, nest.dst[last - 1] = dst;
      transposes = true;
      break;
    }
  const int outer = transposes ? last - 1 : last;
  const int64_t tall = transposes ? nest.shape[last - 1] : 1;
  const int64_t pieces = ceil_div(tall, kTile), units = total / n / tall * pieces;
  parallel_for(units, total / units, [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      int64_t rest = unit / pieces, src_at = 0, dst_at = 0;
      for (int d = outer - 1; d >= 0; --d) {
        src_at += rest % nest.shape[d] * nest.src[d];
        dst_at += rest % nest.shape[d] * nest.dst[d];
        rest /= nest.shape[d];
      }
      const T* src = static_cast<const T*>(args.src) + src_at;
      T* dst = static_cast<T*>(args.dst) + dst_at;
      if (transposes) {
        const int64_t row = unit % pieces * kTile;
        transpose(smaller(kTile, tall - row), n, dst + row * nest.dst[last - 1], nest.dst[last - 1],
                  src + row, nest.src[last]);
      } else {
        copy_row(n, dst, nest.dst[last], src, nest.src[last]);
      }
    }
  });
}

}  // namespace

void copy_strided(const CopyStrided& args) {
  switch (args.element_bytes) {
    case 1:
      return copy_as<uint8_t>(args);
    case 2:
      return copy_as<uint16_t>(args);
    case 8:
      return copy_as<uint64_t>(args);
    default:
      return copy_as<uint32_t>(args);
  }
}

// A fill is a copy of one element with all strides 0.
void fill(const Fill& args) {
  CopyStrided copy{
      .rank = args.rank, .element_bytes = args.element_bytes, .src = &args.value, .dst = args.dst};
  for (int d = 0; d < args.rank; ++d) {
    copy.shape[d] = args.shape[d];
    copy.dst_strides[d] = args.dst_strides[d];
  }
  WEFT_ISA::copy_strided(copy);
}

void pad(const Pad& args) {
  CopyStrided copy{.rank = args.rank, .element_bytes = args.element_bytes, .src = args.x};
  int64_t size = 1, x_stride = 1, offset = 0;
  for (int d = args.rank - 1; d >= 0; --d) {
    copy.shape[d] = args.shape[d];
    copy.src_strides[d] = x_stride;
    copy.dst_strides[d] = size;
    offset += args.low[d] * size;
    x_stride *= args.shape[d];
    size *= args.low[d] + args.shape[d] + args.high[d];
  }
  Fill background{
      .rank = 1, .element_bytes = args.element_bytes, .dst = args.y, .value = args.value};
  background.shape[0] = size;
  background.dst_strides[0] = 1;
  WEFT_ISA::fill(background);
  copy.dst = static_cast<char*>(args.y) + offset * args.element_bytes;
  WEFT_ISA::copy_strided(copy);
}

}  // namespace weft::onednn::kernels::WEFT_ISA
