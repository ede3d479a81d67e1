// backends/onednn/kernels/random.cpp -- arrays of the random bits of philox.h, a vector of blocks
// at a time.
#include "backends/onednn/kernels/random.h"

#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"
#include "backends/onednn/kernels/philox_vec.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

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
  const PhiloxStream stream = philox_stream(args.stream, args.step, row, position);
  uint32_t words[4 * kBlocks];
  for (int64_t e = 0; e < args.elements; e += 4 * kBlocks) {
    philox_blocks(stream, e / 4, 1, words);
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
