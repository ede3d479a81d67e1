// backends/reference/eval/tensor.h -- a value while a graph is interpreted: doubles, or integers.
//
// Floats of every dtype are doubles. Integers are int64_t within the range of their dtype, pred is
// 0 or 1. A Tensor is a handle of something that never changes; copies are cheap.
#pragma once
#include "ir/host/array.h"
#include "ir/type.h"

#include <xtensor/xarray.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace weft::backends::reference {

using ir::Dims;
template <typename T>
using Dense = xt::xarray<T>;
using Floats = Dense<double>;
using Ints = Dense<int64_t>;

class Tensor {
 public:
  Tensor() = default;
  Tensor(Floats x) : elements_(std::make_shared<const Elements>(std::move(x))) {}  // NOLINT
  Tensor(Ints x) : elements_(std::make_shared<const Elements>(std::move(x))) {}    // NOLINT

  bool is_float() const { return std::holds_alternative<Floats>(*elements_); }
  const Floats& floats() const { return std::get<Floats>(*elements_); }
  const Ints& ints() const { return std::get<Ints>(*elements_); }
  Dims dims() const;
  int64_t scalar() const { return ints().data()[0]; }  // of an integer of rank 0

  // f(x), x being the Floats or the Ints.
  template <typename F>
  Tensor map(F f) const {
    return is_float() ? Tensor(f(floats())) : Tensor(f(ints()));
  }

 private:
  using Elements = std::variant<Floats, Ints>;
  std::shared_ptr<const Elements> elements_;
};

using Tensors = std::vector<Tensor>;

template <typename T>
Dense<T> filled(const Dims& dims, T value) {
  return Dense<T>(typename Dense<T>::shape_type(dims.begin(), dims.end()), value);
}
template <typename T>
Dims dims_of(const Dense<T>& x) {
  return Dims(x.shape().begin(), x.shape().end());
}

// Dims around an axis: x[outer, size, inner] in row-major order.
struct Split {
  int64_t outer = 1, size = 1, inner = 1;
  Split(const Dims& dims, int64_t axis);
};

// Repeats axes of size 1, and adds leading ones, as NumPy does.
template <typename T>
Dense<T> broadcast(const Dense<T>& x, const Dims& dims);
Dims broadcast_dims(const Dims& a, const Dims& b);

// `count` elements along `axis`: start, start + step, ...
template <typename T>
Dense<T> window(const Dense<T>& x, int64_t axis, int64_t start, int64_t count, int64_t step = 1);
// Writes `part` into y from `start` along `axis`.
template <typename T>
void write(Dense<T>& y, int64_t axis, int64_t start, const Dense<T>& part);

template <typename T>
Dense<T> reshaped(Dense<T> x, const Dims& dims) {
  x.reshape(typename Dense<T>::shape_type(dims.begin(), dims.end()));
  return x;
}

// An integer modulo the width of `dtype`; for pred, x != 0.
int64_t wrapped(int64_t x, ir::DType dtype);
// All elements as a value of `dtype` holds them: integers wrapped, f16 and bf16 rounded, f32 as it
// is.
Tensor stored(const Tensor& x, ir::DType dtype);

Tensor from_array(const ir::Array& array);
// `array` is of the tensor's dims; a float array of any float dtype.
void to_array(const Tensor& x, ir::Array& array);

}  // namespace weft::backends::reference
