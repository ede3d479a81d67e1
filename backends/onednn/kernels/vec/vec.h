// backends/onednn/kernels/vec/vec.h -- one vector register of floats, for the instruction set being
// compiled.
//
// Each kernel source is compiled once per instruction set (isa_list.h) with WEFT_ISA set to its
// name, and everything here lives in the namespace of that name: no inline function may be shared
// between two sets, or the linker would hand AVX-512 code to an AVX2 machine. For the same reason
// kernels use no inline functions of the standard library.
#pragma once
#include <immintrin.h>

#include <cstdint>

#ifndef WEFT_ISA
#error "compile kernel sources with -DWEFT_ISA=, the name of an instruction set of isa_list.h"
#endif

#define WEFT_INLINE static inline __attribute__((always_inline))

// vec_avx2.h, vec_avx512.h, ...: what differs.
#define WEFT_VEC_HEADER_OF(isa) <backends/onednn/kernels/vec/vec_##isa.h>
#define WEFT_VEC_HEADER(isa) WEFT_VEC_HEADER_OF(isa)
// clang-format off
#include WEFT_VEC_HEADER(WEFT_ISA)
// clang-format on

namespace weft::onednn::kernels::WEFT_ISA {

WEFT_INLINE void finish_streams() { _mm_sfence(); }

// The lanes' largest value; NaN if a lane is NaN.
WEFT_INLINE float largest(Vec v) {
  float top = v[0];
  for (int i = 1; i < kWidth; ++i) top = (v[i] > top || v[i] != v[i]) ? v[i] : top;
  return top;
}
WEFT_INLINE Vec as_float(Int a) { return (Vec)a; }
WEFT_INLINE Int as_int(Vec a) { return (Int)a; }
WEFT_INLINE Vec abs(Vec a) { return as_float(as_int(a) & splat_int(0x7FFFFFFF)); }
WEFT_INLINE Vec sign_bit(Vec a) { return as_float(as_int(a) & splat_int(INT32_MIN)); }
// max and min that propagate NaN from either side.
WEFT_INLINE Vec maximum(Vec a, Vec b) { return select(is_nan(a), a, max(a, b)); }
WEFT_INLINE Vec minimum(Vec a, Vec b) { return select(is_nan(a), a, min(a, b)); }

WEFT_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
WEFT_INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
WEFT_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
WEFT_INLINE int64_t dense_or(int64_t stride, int64_t dense) { return stride != 0 ? stride : dense; }

}  // namespace weft::onednn::kernels::WEFT_ISA
