// backends/onednn/kernels/vec.h -- one vector register of floats, for the instruction set being
// compiled.
//
// Each kernel source is compiled once per instruction set with WEFT_ISA set to `avx2` or `avx512`,
// and everything here lives in the namespace of that name: no inline function may be shared between
// the two builds, or the linker would hand AVX-512 code to an AVX2 machine. For the same reason
// kernels use no inline functions of the standard library.
#pragma once
#include <immintrin.h>

#include <cstdint>

#ifndef WEFT_ISA
#error "compile kernel sources with -DWEFT_ISA=avx2 or -DWEFT_ISA=avx512"
#endif

#define WEFT_INLINE static inline __attribute__((always_inline))

namespace weft::onednn::kernels::WEFT_ISA {

#if defined(__AVX512F__)

inline constexpr int64_t kWidth = 16;
using Vec = float __attribute__((vector_size(64)));
using Int = int32_t __attribute__((vector_size(64)));
struct Bits {  // a predicate per lane
  __mmask16 m;
};

WEFT_INLINE Vec load(const float* p) { return (Vec)_mm512_loadu_ps(p); }
WEFT_INLINE void store(float* p, Vec v) { _mm512_storeu_ps(p, (__m512)v); }
// Past the caches, to a whole vector's address; finish_streams() before others read it.
WEFT_INLINE void stream(float* p, Vec v) { _mm512_stream_ps(p, (__m512)v); }
WEFT_INLINE Bits first(int64_t n) { return {(__mmask16)((1U << n) - 1U)}; }
WEFT_INLINE Vec load(const float* p, int64_t n) {
  return (Vec)_mm512_maskz_loadu_ps(first(n).m, p);
}
WEFT_INLINE void store(float* p, Vec v, int64_t n) {
  _mm512_mask_storeu_ps(p, first(n).m, (__m512)v);
}
WEFT_INLINE Vec splat(float x) { return (Vec)_mm512_set1_ps(x); }
WEFT_INLINE Int splat_int(int32_t x) { return (Int)_mm512_set1_epi32(x); }
WEFT_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return (Vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
WEFT_INLINE Vec fnma(Vec a, Vec b, Vec c) {  // c - a*b
  return (Vec)_mm512_fnmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
// min and max return the second operand if either is NaN.
WEFT_INLINE Vec min(Vec a, Vec b) { return (Vec)_mm512_min_ps((__m512)a, (__m512)b); }
WEFT_INLINE Vec max(Vec a, Vec b) { return (Vec)_mm512_max_ps((__m512)a, (__m512)b); }
WEFT_INLINE Vec sqrt(Vec a) { return (Vec)_mm512_sqrt_ps((__m512)a); }
WEFT_INLINE Vec rough_reciprocal(Vec a) { return (Vec)_mm512_rcp14_ps((__m512)a); }
WEFT_INLINE Vec round(Vec a) { return (Vec)_mm512_roundscale_ps((__m512)a, 8); }
WEFT_INLINE Vec floor(Vec a) { return (Vec)_mm512_roundscale_ps((__m512)a, 9); }
WEFT_INLINE Vec ceil(Vec a) { return (Vec)_mm512_roundscale_ps((__m512)a, 10); }
WEFT_INLINE Int to_int(Vec a) { return (Int)_mm512_cvtps_epi32((__m512)a); }
WEFT_INLINE Vec to_float(Int a) { return (Vec)_mm512_cvtepi32_ps((__m512i)a); }
WEFT_INLINE Vec select(Bits m, Vec a, Vec b) {
  return (Vec)_mm512_mask_blend_ps(m.m, (__m512)b, (__m512)a);
}
WEFT_INLINE Bits less(Vec a, Vec b) {
  return {_mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ)};
}
WEFT_INLINE Bits greater(Vec a, Vec b) {
  return {_mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ)};
}
WEFT_INLINE Bits equal(Vec a, Vec b) {
  return {_mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_EQ_OQ)};
}
WEFT_INLINE Bits is_nan(Vec a) { return {_mm512_cmp_ps_mask((__m512)a, (__m512)a, _CMP_UNORD_Q)}; }
WEFT_INLINE Bits nonzero(Int a) { return {_mm512_test_epi32_mask((__m512i)a, (__m512i)a)}; }
WEFT_INLINE Bits both(Bits a, Bits b) { return {(__mmask16)(a.m & b.m)}; }
WEFT_INLINE Bits either(Bits a, Bits b) { return {(__mmask16)(a.m | b.m)}; }
WEFT_INLINE bool any(Bits a) { return a.m != 0; }
WEFT_INLINE Bits bits_of(const uint8_t* p) {  // p[i] != 0
  const __m128i b = _mm_loadu_si128((const __m128i*)p);
  return {_mm_test_epi8_mask(b, b)};
}
WEFT_INLINE float sum(Vec v) { return _mm512_reduce_add_ps((__m512)v); }

#else

inline constexpr int64_t kWidth = 8;
using Vec = float __attribute__((vector_size(32)));
using Int = int32_t __attribute__((vector_size(32)));
struct Bits {
  __m256 m;
};

WEFT_INLINE __m256i first_int(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
WEFT_INLINE Bits first(int64_t n) { return {_mm256_castsi256_ps(first_int(n))}; }
WEFT_INLINE Vec load(const float* p) { return (Vec)_mm256_loadu_ps(p); }
WEFT_INLINE void store(float* p, Vec v) { _mm256_storeu_ps(p, (__m256)v); }
WEFT_INLINE void stream(float* p, Vec v) { _mm256_stream_ps(p, (__m256)v); }
WEFT_INLINE Vec load(const float* p, int64_t n) { return (Vec)_mm256_maskload_ps(p, first_int(n)); }
WEFT_INLINE void store(float* p, Vec v, int64_t n) {
  _mm256_maskstore_ps(p, first_int(n), (__m256)v);
}
WEFT_INLINE Vec splat(float x) { return (Vec)_mm256_set1_ps(x); }
WEFT_INLINE Int splat_int(int32_t x) { return (Int)_mm256_set1_epi32(x); }
WEFT_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return (Vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
WEFT_INLINE Vec fnma(Vec a, Vec b, Vec c) {  // c - a*b
  return (Vec)_mm256_fnmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
// min and max return the second operand if either is NaN.
WEFT_INLINE Vec min(Vec a, Vec b) { return (Vec)_mm256_min_ps((__m256)a, (__m256)b); }
WEFT_INLINE Vec max(Vec a, Vec b) { return (Vec)_mm256_max_ps((__m256)a, (__m256)b); }
WEFT_INLINE Vec sqrt(Vec a) { return (Vec)_mm256_sqrt_ps((__m256)a); }
WEFT_INLINE Vec rough_reciprocal(Vec a) { return (Vec)_mm256_rcp_ps((__m256)a); }  // 12 bits
WEFT_INLINE Vec round(Vec a) { return (Vec)_mm256_round_ps((__m256)a, 8); }
WEFT_INLINE Vec floor(Vec a) { return (Vec)_mm256_round_ps((__m256)a, 9); }
WEFT_INLINE Vec ceil(Vec a) { return (Vec)_mm256_round_ps((__m256)a, 10); }
WEFT_INLINE Int to_int(Vec a) { return (Int)_mm256_cvtps_epi32((__m256)a); }
WEFT_INLINE Vec to_float(Int a) { return (Vec)_mm256_cvtepi32_ps((__m256i)a); }
WEFT_INLINE Vec select(Bits m, Vec a, Vec b) {
  return (Vec)_mm256_blendv_ps((__m256)b, (__m256)a, m.m);
}
WEFT_INLINE Bits less(Vec a, Vec b) { return {_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_LT_OQ)}; }
WEFT_INLINE Bits greater(Vec a, Vec b) { return {_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_GT_OQ)}; }
WEFT_INLINE Bits equal(Vec a, Vec b) { return {_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_EQ_OQ)}; }
WEFT_INLINE Bits is_nan(Vec a) { return {_mm256_cmp_ps((__m256)a, (__m256)a, _CMP_UNORD_Q)}; }
WEFT_INLINE Bits nonzero(Int a) {
  const __m256i zero = _mm256_cmpeq_epi32((__m256i)a, _mm256_setzero_si256());
  return {_mm256_castsi256_ps(_mm256_xor_si256(zero, _mm256_set1_epi32(-1)))};
}
WEFT_INLINE Bits both(Bits a, Bits b) { return {_mm256_and_ps(a.m, b.m)}; }
WEFT_INLINE Bits either(Bits a, Bits b) { return {_mm256_or_ps(a.m, b.m)}; }
WEFT_INLINE bool any(Bits a) { return _mm256_movemask_ps(a.m) != 0; }
WEFT_INLINE Bits bits_of(const uint8_t* p) {  // p[i] != 0
  const __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)p));
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(wide, _mm256_setzero_si256()))};
}
WEFT_INLINE float sum(Vec v) {
  __m128 a = _mm_add_ps(_mm256_castps256_ps128((__m256)v), _mm256_extractf128_ps((__m256)v, 1));
  a = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}

#endif

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
