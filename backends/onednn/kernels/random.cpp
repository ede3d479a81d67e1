// backends/onednn/kernels/random.cpp -- arrays of the random bits of philox.h, a vector of blocks
// at a time.
#include "backends/onednn/kernels/random.h"

#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

inline constexpr int64_t kBlocks = 16;  // of four words, computed together

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

// The same rounds as philox4x32, on 16 counters that differ in their first word only.
void philox_blocks(PhiloxBlock counter, uint32_t key0, uint32_t key1, uint32_t* out) {
  Four x[4];
  for (int i = 0; i < 4; ++i) {
    const int64_t first = counter.word[0] + 4 * i;
    x[i].c0 = _mm256_add_epi64(_mm256_set1_epi64x(first), _mm256_setr_epi64x(0, 1, 2, 3));
    x[i].c1 = _mm256_set1_epi64x(counter.word[1]);
    x[i].c2 = _mm256_set1_epi64x(counter.word[2]);
    x[i].c3 = _mm256_set1_epi64x(counter.word[3]);
  }
  for (int round = 0; round < 10; ++round) {
    const __m256i k0 = _mm256_set1_epi64x(key0), k1 = _mm256_set1_epi64x(key1);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) philox_round(x[i], k0, k1);
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  for (int i = 0; i < 4; ++i) put_words(x[i], out + 16 * i);
}

void put(const Random& args, int64_t at, const uint32_t* words, int64_t n) {
  switch (args.kind) {
    case RandomKind::bits: {
      auto* y = static_cast<uint32_t*>(args.y) + at;
      for (int64_t i = 0; i < n; ++i) y[i] = words[i];
      return;
    }
    case RandomKind::uniform: {
      auto* y = static_cast<float*>(args.y) + at;
      for (int64_t i = 0; i < n; ++i) y[i] = (float)(int32_t)(words[i] >> 8) * (1.0F / 16777216.0F);
      return;
    }
    case RandomKind::keep: {
      auto* y = static_cast<uint8_t*>(args.y) + at;
      for (int64_t i = 0; i < n; ++i) y[i] = words[i] < args.threshold;
      return;
    }
  }
}

void draw(const Random& args, int64_t row, int64_t position, int64_t at) {
  const auto key0 = (uint32_t)args.stream, key1 = (uint32_t)(args.stream >> 32);
  uint32_t words[4 * kBlocks];
  for (int64_t e = 0; e < args.elements; e += 4 * kBlocks) {
    // philox_counter of philox.h, spelled out: kernels share no inline functions.
    const PhiloxBlock counter{{(uint32_t)(e / 4), (uint32_t)position, (uint32_t)row,
                               ((uint32_t)args.step & 0xFFFFFFU) | (uint32_t)(row >> 32) << 24}};
    philox_blocks(counter, key0, key1, words);
    put(args, at + e, words, smaller(4 * kBlocks, args.elements - e));
  }
}

}  // namespace

void random(const Random& args) {
  const int64_t y_position = dense_or(args.y_position, args.elements);
  const int64_t y_row = dense_or(args.y_row, args.positions * y_position);
  parallel_for(args.rows * args.positions, args.elements * 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t r = i / args.positions, t = i % args.positions;
      const int64_t row = args.row_id == nullptr ? r : args.row_id[r];
      const int64_t start = args.position_of == nullptr ? args.first_position : args.position_of[r];
      draw(args, row, start + t, r * y_row + t * y_position);
    }
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
