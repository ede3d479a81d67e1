// backends/onednn/kernels/vec/vec_avx512.h -- one vector register of floats on AVX-512 (F, BW, DQ,
// VL), and the tiles of products that its 32 registers hold.
#pragma once

namespace weft::onednn::kernels::WEFT_ISA {

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

// 16-bit elements, one a lane: read with zeros above, written without what is above.
WEFT_INLINE Int load_halves(const uint16_t* p) {
  return (Int)_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p));
}
WEFT_INLINE Int load_halves(const uint16_t* p, int64_t n) {
  return (Int)_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first(n).m, p));
}
WEFT_INLINE void store_halves(uint16_t* p, Int a) {
  _mm256_storeu_si256((__m256i*)p, _mm512_cvtepi32_epi16((__m512i)a));
}
WEFT_INLINE void store_halves(uint16_t* p, Int a, int64_t n) {
  _mm512_mask_cvtepi32_storeu_epi16(p, first(n).m, (__m512i)a);
}

// --- tiles (tile.h, gemm_tile.h)
inline constexpr int kTileRows = 12;  // by two vectors
// 12 rows x 2 vectors need 14 loads for 24 multiply-adds, and 32 columns divide the usual sizes.
inline constexpr int kGemmTileRows = 12;
inline constexpr int64_t kGemmTileVectors = 2;

}  // namespace weft::onednn::kernels::WEFT_ISA
