// backends/onednn/kernels/mask_row.h -- one row of scores under a mask, a vector at a time.
#pragma once
#include "backends/onednn/kernels/types.h"
#include "backends/onednn/kernels/vec/vec.h"

namespace weft::onednn::kernels::WEFT_ISA {

// Row t of head h of batch entry b; null data allows everything.
struct MaskRow {
  const uint8_t* allowed;
  int64_t column;

  bool at(int64_t j) const { return allowed == nullptr || allowed[j * column] != 0; }
};

WEFT_INLINE MaskRow mask_row(const Mask& mask, int64_t b, int64_t h, int64_t t) {
  if (mask.allowed == nullptr) return {nullptr, 0};
  return {mask.allowed + b * mask.batch + h * mask.head + t * mask.row, mask.column};
}

// Lanes j..j+n of the row, n <= kWidth; the lanes beyond are false.
WEFT_INLINE Bits allowed(MaskRow row, int64_t j, int64_t n) {
  if (row.allowed == nullptr) return first(n);
  if (row.column == 1 && n == kWidth) {
    uint8_t lanes[16];
    __builtin_memcpy(lanes, row.allowed + j, (unsigned long)kWidth);
    return bits_of(lanes);
  }
  uint8_t lanes[16] = {};
  for (int64_t i = 0; i < n; ++i) lanes[i] = row.allowed[(j + i) * row.column];
  return bits_of(lanes);
}

}  // namespace weft::onednn::kernels::WEFT_ISA
