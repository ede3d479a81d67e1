// backends/onednn/kernels/vec/bf16.h -- bf16: the upper half of an f32, two products at a time.
#pragma once
#include "backends/onednn/kernels/vec/vec.h"

namespace weft::onednn::kernels::WEFT_ISA {

// A bf16 in the lower half of each lane <-> f32. To nearest, halves to even; a NaN stays one.
WEFT_INLINE Vec of_bf16(Int halves) { return as_float(halves << 16); }
WEFT_INLINE Int to_bf16(Vec x) {
  const Int bits = as_int(x), odd = (bits >> 16) & splat_int(1);
  const Int rounded = (bits + splat_int(0x7FFF) + odd) >> 16,
            quiet = (bits >> 16) | splat_int(0x40);
  return as_int(select(is_nan(x), as_float(quiet), as_float(rounded)));
}

WEFT_INLINE Vec load_bf16(const uint16_t* p) { return of_bf16(load_halves(p)); }
WEFT_INLINE Vec load_bf16(const uint16_t* p, int64_t n) { return of_bf16(load_halves(p, n)); }
WEFT_INLINE void store_bf16(uint16_t* p, Vec x) { store_halves(p, to_bf16(x)); }
WEFT_INLINE void store_bf16(uint16_t* p, Vec x, int64_t n) { store_halves(p, to_bf16(x), n); }

// sum + a0 b0 + a1 b1 by lanes, each a pair of bf16 whose first is the lower half. The instruction
// takes numbers below 2^-126 for zeros, and rounds each of both sums; without it two multiply-adds.
WEFT_INLINE Vec add_pairs(Vec sum, Int a, Int b) {
#ifdef __AVX512BF16__
  return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
  const Int upper = splat_int((int32_t)0xFFFF0000);
  return fma(of_bf16(a), of_bf16(b), fma(as_float(a & upper), as_float(b & upper), sum));
#endif
}

}  // namespace weft::onednn::kernels::WEFT_ISA
