// backends/onednn/kernels/vec/vec_avx2.h -- one vector register of floats on AVX2 with FMA, and the
// tiles of products that its 16 registers hold.
#pragma once

namespace weft::onednn::kernels::avx2 {

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

// 16-bit elements, one a lane: read with zeros above, written without what is above.
WEFT_INLINE Int load_halves(const uint16_t* p) {
  return (Int)_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p));
}
WEFT_INLINE Int load_halves(const uint16_t* p, int64_t n) {
  uint16_t few[kWidth] = {};
  for (int64_t i = 0; i < n && i < kWidth; ++i) few[i] = p[i];
  return load_halves(few);
}
WEFT_INLINE void store_halves(uint16_t* p, Int a) {
  const __m256i low = _mm256_and_si256((__m256i)a, _mm256_set1_epi32(0xFFFF));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0xD8);
  _mm_storeu_si128((__m128i*)p, _mm256_castsi256_si128(packed));
}
WEFT_INLINE void store_halves(uint16_t* p, Int a, int64_t n) {
  uint16_t few[kWidth];
  store_halves(few, a);
  for (int64_t i = 0; i < n && i < kWidth; ++i) p[i] = few[i];
}

// --- tiles (tile.h, gemm_tile.h)
inline constexpr int kTileRows = 6;  // by two vectors
// 4 rows x 3 vectors need 7 loads for 12 multiply-adds, the fewest that 16 registers allow.
inline constexpr int kGemmTileRows = 4;
inline constexpr int64_t kGemmTileVectors = 3;

}  // namespace weft::onednn::kernels::avx2
