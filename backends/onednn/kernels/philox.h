// backends/onednn/kernels/philox.h -- the random bits of Weft, one element at a time.
//
// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). Element e of
// row id r at position t in step n of stream s is word e mod 4 of philox(counter, key), where
//   key     = (low 32 bits of s, high 32 bits of s)
//   counter = (e/4, t, low 32 bits of r, (n mod 2^24) | (bits 32..39 of r) << 24)
// so a value depends on nothing but those five numbers: not on the batch, the padding, the number
// of threads or the order of evaluation. Row ids stay below 2^40 and steps repeat after 2^24.
//
// Plain scalar code without includes of other Weft headers: the reference backend uses the same
// file.
#pragma once
#include <cstdint>

namespace weft::onednn::kernels {

struct PhiloxBlock {
  uint32_t word[4];
};

constexpr PhiloxBlock philox4x32(PhiloxBlock counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53U} * counter.word[0];
    const uint64_t b = uint64_t{0xCD9E8D57U} * counter.word[2];
    counter = {{static_cast<uint32_t>(b >> 32) ^ counter.word[1] ^ key0, static_cast<uint32_t>(b),
                static_cast<uint32_t>(a >> 32) ^ counter.word[3] ^ key1, static_cast<uint32_t>(a)}};
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  return counter;
}

constexpr PhiloxBlock philox_counter(int64_t step, int64_t row, int64_t position, int64_t block) {
  return {{static_cast<uint32_t>(block), static_cast<uint32_t>(position),
           static_cast<uint32_t>(row),
           (static_cast<uint32_t>(step) & 0xFFFFFFU) | static_cast<uint32_t>(row >> 32) << 24}};
}

constexpr uint32_t philox_bits(uint64_t stream, int64_t step, int64_t row, int64_t position,
                               int64_t element) {
  const PhiloxBlock block =
      philox4x32(philox_counter(step, row, position, element / 4), static_cast<uint32_t>(stream),
                 static_cast<uint32_t>(stream >> 32));
  return block.word[element % 4];
}

// Uniform in [0, 1), a multiple of 2^-24: exact in f32.
constexpr float philox_uniform(uint32_t bits) {
  return static_cast<float>(bits >> 8) * (1.0F / 16777216.0F);
}

// bits < threshold with probability p. p = 1 keeps all but 2^-32 of the elements: callers that mean
// "keep everything" draw nothing.
constexpr uint32_t philox_threshold(double p) {
  const double scaled = p * 4294967296.0;
  return scaled <= 0 ? 0U : scaled >= 4294967295.0 ? 0xFFFFFFFFU : static_cast<uint32_t>(scaled);
}

}  // namespace weft::onednn::kernels
