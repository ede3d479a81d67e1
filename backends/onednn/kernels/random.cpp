// backends/onednn/kernels/random.cpp -- arrays of the random bits of philox.h, a vector of blocks at a time.
#include "backends/onednn/kernels/random.h"

#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

inline constexpr int64_t kBlocks = 16;  // of four words, computed together

// A loop over plain arrays: the compiler turns it into vectors of 32 x 32 -> 64 bit products.
struct Words {
  alignas(64) uint32_t word[kBlocks];
};

// The same rounds as philox4x32, on 16 counters that differ in their first word only.
void philox_blocks(PhiloxBlock counter, uint32_t key0, uint32_t key1, uint32_t* out) {
  Words c0, c1, c2, c3;
  for (uint32_t i = 0; i < kBlocks; ++i) {
    c0.word[i] = counter.word[0] + i;
    c1.word[i] = counter.word[1];
    c2.word[i] = counter.word[2];
    c3.word[i] = counter.word[3];
  }
  for (int round = 0; round < 10; ++round) {
#pragma omp simd
    for (int i = 0; i < kBlocks; ++i) {
      const uint64_t a = uint64_t{0xD2511F53U} * c0.word[i], b = uint64_t{0xCD9E8D57U} * c2.word[i];
      c0.word[i] = (uint32_t)(b >> 32) ^ c1.word[i] ^ key0;
      c2.word[i] = (uint32_t)(a >> 32) ^ c3.word[i] ^ key1;
      c1.word[i] = (uint32_t)b;
      c3.word[i] = (uint32_t)a;
    }
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  for (int i = 0; i < kBlocks; ++i) {
    out[4 * i] = c0.word[i];
    out[4 * i + 1] = c1.word[i];
    out[4 * i + 2] = c2.word[i];
    out[4 * i + 3] = c3.word[i];
  }
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
