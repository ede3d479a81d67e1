// backends/onednn/kernels/random.h -- arrays of the random bits of philox.h.
//
//   row_id: s64[rows] -> y: T[rows,positions,elements]
//
// y[i,t,e] comes from philox_bits(stream, step, row_id[i], position, e), position = first_position
// + t, or position_of[i] + t where that is given (packed tokens). T is u32 (bits), f32 (uniform in
// [0,1)) or u8 (keep: bits < threshold).
#pragma once
#include "backends/onednn/kernels/philox.h"
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

enum class RandomKind : uint8_t { bits, uniform, keep };

struct Random {
  RandomKind kind = RandomKind::uniform;
  uint64_t stream = 0;
  int64_t step = 0;
  int64_t rows = 1, positions = 1, elements = 0;
  const int64_t* row_id = nullptr;       // null: 0, 1, 2, ...
  const int64_t* position_of = nullptr;  // [rows] or null
  int64_t first_position = 0;
  uint32_t threshold = 0;  // keep
  void* y = nullptr;
  int64_t y_row = 0, y_position = 0;  // strides; 0 means dense
};

void random(const Random& args);

}  // namespace weft::onednn::kernels
