// backends/onednn/kernels/types.h -- what the argument structs of all kernels share.
//
// Conventions: every kernel is a function of one struct of arguments, filled by name. Pointers are
// raw, sizes and strides count elements, rows are contiguous, `ld_x` is the distance between rows
// of x, `x_batch` and the like are the distances along the named dimension. A size of 0 is legal
// everywhere. Kernels allocate nothing and throw nothing.
#pragma once
#include <cstddef>
#include <cstdint>

namespace weft::onednn::kernels {

inline constexpr int kMaxRank = 8;

// u8 holds predicates: 0 or 1. bf16 is read and written, computed with in f32.
enum class DType : uint8_t { f32, s32, s64, u8, bf16 };

constexpr int64_t bytes(DType dtype) {
  constexpr int64_t kBytes[] = {4, 4, 8, 1, 2};
  return kBytes[static_cast<int>(dtype)];
}

// Which columns a row of scores may see: allowed[b*batch + h*head + t*row + j*column] != 0. A
// stride of 0 broadcasts. A null pointer allows everything.
struct Mask {
  const uint8_t* allowed = nullptr;
  int64_t batch = 0, head = 0, row = 0, column = 1;
};

// An additive term of the scores, laid out like a Mask. Null adds nothing.
struct Bias {
  const float* data = nullptr;
  int64_t batch = 0, head = 0, row = 0, column = 1;
};

}  // namespace weft::onednn::kernels
