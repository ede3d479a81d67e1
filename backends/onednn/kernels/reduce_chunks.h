// backends/onednn/kernels/reduce_chunks.h -- where a reduced axis is cut, whatever the number of
// threads.
//
// A chunk is summed in order (over a few accumulators), the chunks' sums are added in order. Short
// chunks keep rounding errors small: the error grows with chunk + chunks, not with n.
#pragma once
#include "backends/onednn/kernels/reduce.h"

namespace weft::onednn::kernels {

inline constexpr int64_t kRowChunk = 16384;   // elements, when inner is 1
inline constexpr int64_t kColumnChunk = 256;  // rows, when it is not

constexpr int64_t reduce_chunk(int64_t inner) { return inner == 1 ? kRowChunk : kColumnChunk; }
constexpr int64_t reduce_chunks(int64_t n, int64_t inner) {
  const int64_t chunk = reduce_chunk(inner);
  return (n + chunk - 1) / chunk;
}

}  // namespace weft::onednn::kernels
