// backends/onednn/kernels/dropout_words.h -- the random words of attention weights.
#pragma once
#include "backends/onednn/kernels/dot_attention.h"
#include "backends/onednn/kernels/philox_vec.h"

namespace weft::onednn::kernels::WEFT_ISA {

// Words of the weights of query t for n keys from j on.
WEFT_INLINE void draw_words(const WeightDropout& d, int64_t b, int64_t h, int64_t t, int64_t j,
                            int64_t n, uint32_t* words) {
  const int64_t position = d.position == nullptr ? 0 : d.position[t * d.position_row];
  const PhiloxStream stream = philox_stream(d.stream, d.step, d.row_id[b], position);
  const int64_t first = d.element + h * d.head + t * d.row + j * d.column;
  uint32_t drawn[4 * kBlocks];
  if (d.column == 1) {
    const int64_t skip = first % 4;
    for (int64_t at = 0; at < n + skip; at += 4 * kBlocks) {
      philox_blocks(stream, (first + at) / 4, 1, drawn);
      for (int64_t i = larger(0, skip - at); i < 4 * kBlocks && at + i - skip < n; ++i)
        words[at + i - skip] = drawn[i];
    }
    return;
  }
  if (d.column % 4 == 0) {
    for (int64_t at = 0; at < n; at += kBlocks) {
      philox_blocks(stream, (first + at * d.column) / 4, d.column / 4, drawn);
      for (int64_t m = 0; m < kBlocks && at + m < n; ++m) words[at + m] = drawn[4 * m + first % 4];
    }
    return;
  }
  // Every fourth key is a whole number of counters further.
  for (int64_t i = 0; i < 4 && i < n; ++i)
    for (int64_t at = i; at < n; at += 4 * kBlocks) {
      const int64_t element = first + at * d.column;
      philox_blocks(stream, element / 4, d.column, drawn);
      for (int64_t m = 0; m < kBlocks && at + 4 * m < n; ++m)
        words[at + 4 * m] = drawn[4 * m + element % 4];
    }
}

}  // namespace weft::onednn::kernels::WEFT_ISA
