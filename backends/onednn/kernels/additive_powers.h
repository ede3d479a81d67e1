// backends/onednn/kernels/additive_powers.h -- tanh of sums from one exponential a row.
//
//   tanh(q + k) = 1 - 2/(1 + e^2q e^2k)
//
// With many queries a product and a reciprocal a pair are left: a third of a tanh. The error is
// 3e-7 of 1, also near 0, where tanh itself is small: what scores and their slopes need. Rows with
// an element beyond +-43, whose power or the other's may not be a float, and with NaN have none:
// for them tanh is computed as it stands.
#pragma once
#include "backends/onednn/kernels/additive_attention_sizes.h"
#include "backends/onednn/kernels/columns.h"
#include "backends/onednn/kernels/math.h"
#include "backends/onednn/kernels/parallel.h"

namespace weft::onednn::kernels::WEFT_ISA {

// e^2x of rows of x, f32 or bf16, made when first asked for. Nothing at all without a buffer.
template <class T>
class Powers {
 public:
  Powers(float* buffer, int64_t rows, int64_t columns)
      : data_(buffer), rows_(rows), columns_(columns), part_{0, columns} {
    if (buffer != nullptr) known_ = reinterpret_cast<uint8_t*>(buffer + rows * padded(columns));
  }

  // From now on of these rows, and only `part` of their columns.
  void of(const T* x, int64_t row, Range part) {
    if (data_ == nullptr || (x == x_ && part.begin == part_.begin && part.end == part_.end)) return;
    x_ = x, row_ = row, part_ = part;
    for (int64_t i = 0; i < rows_; ++i) known_[i] = kUnknown;
  }
  void of(const T* x, int64_t row) { of(x, row, {0, columns_}); }

  const float* at(int64_t i) {
    if (data_ == nullptr) return nullptr;
    if (known_[i] == kUnknown) make(i);
    return known_[i] == kMade ? data_ + i * padded(columns_) : nullptr;
  }

 private:
  enum : uint8_t { kUnknown, kMade, kNone };

  void make(int64_t i) {
    const T* x = x_ + i * row_;
    float* y = data_ + i * padded(columns_);
    Vec least = splat(0), most = splat(0);
    bool nan = false;
    for_columns(columns_, [&](int64_t c, auto at) {
      const Vec x_c = at.get(x + c);
      nan |= any(is_nan(x_c));
      least = min(least, x_c), most = max(most, x_c);
    });
    const bool small = !nan && !any(either(less(least, splat(-43)), greater(most, splat(43))));
    known_[i] = small ? kMade : kNone;
    if (!small) return;
    for_columns(part_.end - part_.begin, [&](int64_t j, auto at) {
      const int64_t c = part_.begin + j;
      at.put(y + c, exp(at.get(x + c) + at.get(x + c)));
    });
  }

  float* data_;
  uint8_t* known_ = nullptr;
  int64_t rows_, columns_, row_ = 0;
  Range part_;
  const T* x_ = nullptr;
};

// tanh(q + k) from e^2q and e^2k.
WEFT_INLINE Vec tanh_of_powers(Vec q, Vec k) {
  const Vec d = min(fma(q, k, splat(1)), splat(1e30F));
  const Vec r = rough_reciprocal(d);
  return fnma(r + r, fnma(d, r, splat(2)), splat(1));
}

}  // namespace weft::onednn::kernels::WEFT_ISA
