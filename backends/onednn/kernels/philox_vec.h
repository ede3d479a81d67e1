// backends/onednn/kernels/philox_vec.h -- philox.h sixteen counters at a time.
#pragma once
#include "backends/onednn/kernels/vec/vec.h"

namespace weft::onednn::kernels::WEFT_ISA {

inline constexpr int64_t kBlocks = 16;  // of four words, computed together

// What the counters of a call share.
struct PhiloxStream {
  uint32_t key0, key1;
  uint32_t word1, word2, word3;  // of the counter: position, row id, step and the row id's top
};

// philox_counter of philox.h, spelled out: kernels share no inline functions.
WEFT_INLINE PhiloxStream philox_stream(uint64_t stream, int64_t step, int64_t row,
                                       int64_t position) {
  return {(uint32_t)stream, (uint32_t)(stream >> 32), (uint32_t)position, (uint32_t)row,
          ((uint32_t)step & 0xFFFFFFU) | (uint32_t)(row >> 32) << 24};
}

// Four counters, each word in the low half of a 64-bit lane. The multiplication reads low halves
// only, so the high ones may hold anything.
struct Four {
  __m256i c0, c1, c2, c3;
};

WEFT_INLINE void philox_round(Four& x, __m256i key0, __m256i key1) {
  const __m256i a = _mm256_mul_epu32(x.c0, _mm256_set1_epi64x(0xD2511F53));
  const __m256i b = _mm256_mul_epu32(x.c2, _mm256_set1_epi64x(0xCD9E8D57));
  x.c0 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(b, 32), x.c1), key0);
  x.c2 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(a, 32), x.c3), key1);
  x.c1 = b;
  x.c3 = a;
}

WEFT_INLINE void put_words(const Four& x, uint32_t* out) {
  const __m256i low = _mm256_blend_epi32(x.c0, _mm256_slli_epi64(x.c1, 32), 0xAA);
  const __m256i high = _mm256_blend_epi32(x.c2, _mm256_slli_epi64(x.c3, 32), 0xAA);
  const __m256i even = _mm256_unpacklo_epi64(low, high), odd = _mm256_unpackhi_epi64(low, high);
  _mm256_storeu_si256((__m256i*)out, _mm256_permute2x128_si256(even, odd, 0x20));
  _mm256_storeu_si256((__m256i*)(out + 8), _mm256_permute2x128_si256(even, odd, 0x31));
}

// Words of 16 counters: out[4*i..] of the one whose first word is first + i*apart.
WEFT_INLINE void philox_blocks(const PhiloxStream& stream, int64_t first, int64_t apart,
                               uint32_t* out) {
  Four x[4];
  const __m256i steps = _mm256_mul_epu32(_mm256_set1_epi64x(apart), _mm256_setr_epi64x(0, 1, 2, 3));
  for (int i = 0; i < 4; ++i) {
    x[i].c0 = _mm256_add_epi64(_mm256_set1_epi64x(first + 4 * i * apart), steps);
    x[i].c1 = _mm256_set1_epi64x(stream.word1);
    x[i].c2 = _mm256_set1_epi64x(stream.word2);
    x[i].c3 = _mm256_set1_epi64x(stream.word3);
  }
  uint32_t key0 = stream.key0, key1 = stream.key1;
  for (int round = 0; round < 10; ++round) {
    const __m256i k0 = _mm256_set1_epi64x(key0), k1 = _mm256_set1_epi64x(key1);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) philox_round(x[i], k0, k1);
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  for (int i = 0; i < 4; ++i) put_words(x[i], out + 16 * i);
}

}  // namespace weft::onednn::kernels::WEFT_ISA
