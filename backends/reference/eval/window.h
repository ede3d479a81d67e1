// backends/reference/eval/window.h -- windows that slide over axes of known sizes.
#pragma once
#include "backends/reference/eval/table.h"
#include "ir/ops/window.h"

namespace weft::backends::reference {

// A place within sizes, and how many there are.
class Places {
 public:
  explicit Places(Dims sizes) : sizes_(std::move(sizes)), at_(sizes_.size()) {}
  int64_t count() const { return ir::element_count(sizes_); }
  const Dims& at(int64_t i) {  // row-major
    for (size_t d = sizes_.size(); d-- > 0; i /= sizes_[d]) at_[d] = i % sizes_[d];
    return at_;
  }

 private:
  Dims sizes_, at_;
};

// Calls f(position, place in the window, element), each a row-major index, for every element of
// `sizes` that a window sees from one of `positions`; padding is left out.
template <typename F>
void for_each_in_windows(const ir::ops::Window& window, const Dims& window_size,
                         const Dims& positions, const Dims& sizes, F f) {
  Places outer(positions), inner(window_size);
  for (int64_t o = 0; o < outer.count(); ++o) {
    const Dims at = outer.at(o);
    for (int64_t k = 0; k < inner.count(); ++k) {
      const Dims& in = inner.at(k);
      int64_t element = 0;
      bool inside = true;
      for (size_t d = 0; d < sizes.size(); ++d) {
        const int64_t i = at[d] * window.strides[d] + in[d] * window.dilations[d] - window.low[d];
        inside &= i >= 0 && i < sizes[d];
        element = element * sizes[d] + i;
      }
      if (inside) f(o, k, element);
    }
  }
}

}  // namespace weft::backends::reference
