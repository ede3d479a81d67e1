// backends/reference/eval/tensor.cpp -- moving elements between tensors, windows of them and
// arrays.
#include "backends/reference/eval/tensor.h"

#include "ir/check.h"

#include <xtensor/xbroadcast.hpp>

#include <algorithm>

namespace weft::backends::reference {

Dims Tensor::dims() const { return is_float() ? dims_of(floats()) : dims_of(ints()); }

Split::Split(const Dims& dims, int64_t axis) : size(dims[static_cast<size_t>(axis)]) {
  for (size_t d = 0; d < dims.size(); ++d) {
    if (static_cast<int64_t>(d) < axis) outer *= dims[d];
    if (static_cast<int64_t>(d) > axis) inner *= dims[d];
  }
}

Dims broadcast_dims(const Dims& a, const Dims& b) {
  const Dims& longer = a.size() >= b.size() ? a : b;
  const Dims& shorter = a.size() >= b.size() ? b : a;
  Dims dims = longer;
  for (size_t i = 1; i <= shorter.size(); ++i) {
    int64_t& d = dims[dims.size() - i];
    if (d == 1) d = shorter[shorter.size() - i];
  }
  return dims;
}

template <typename T>
Dense<T> broadcast(const Dense<T>& x, const Dims& dims) {
  if (dims_of(x) == dims) return x;
  if (ir::element_count(dims) == 0) return filled<T>(dims, 0);
  return xt::broadcast(x, typename Dense<T>::shape_type(dims.begin(), dims.end()));
}

template <typename T>
Dense<T> window(const Dense<T>& x, int64_t axis, int64_t start, int64_t count, int64_t step) {
  const Split from(dims_of(x), axis);
  Dims dims = dims_of(x);
  dims[static_cast<size_t>(axis)] = count;
  Dense<T> y = filled<T>(dims, 0);
  for (int64_t o = 0; o < from.outer; ++o)
    for (int64_t j = 0; j < count; ++j)
      std::copy_n(x.data() + (o * from.size + start + j * step) * from.inner, from.inner,
                  y.data() + (o * count + j) * from.inner);
  return y;
}

template <typename T>
void write(Dense<T>& y, int64_t axis, int64_t start, const Dense<T>& part) {
  const Split to(dims_of(y), axis);
  const int64_t length = part.shape()[static_cast<size_t>(axis)] * to.inner;
  for (int64_t o = 0; o < to.outer; ++o)
    std::copy_n(part.data() + o * length, length, y.data() + (o * to.size + start) * to.inner);
}

template Floats broadcast(const Floats&, const Dims&);
template Ints broadcast(const Ints&, const Dims&);
template Floats window(const Floats&, int64_t, int64_t, int64_t, int64_t);
template Ints window(const Ints&, int64_t, int64_t, int64_t, int64_t);
template void write(Floats&, int64_t, int64_t, const Floats&);
template void write(Ints&, int64_t, int64_t, const Ints&);

int64_t wrapped(int64_t x, ir::DType dtype) {
  switch (dtype) {
    case ir::DType::s32:
      return static_cast<int32_t>(x);
    case ir::DType::u32:
      return static_cast<uint32_t>(x);
    case ir::DType::u8:
      return static_cast<uint8_t>(x);
    case ir::DType::s8:
      return static_cast<int8_t>(x);
    case ir::DType::pred:
      return x != 0;
    default:
      return x;
  }
}

Tensor stored(const Tensor& x, ir::DType dtype) {
  if (x.is_float() && (dtype == ir::DType::f16 || dtype == ir::DType::bf16)) {
    ir::Array rounded(dtype, x.dims());
    to_array(x, rounded);
    return from_array(rounded);
  }
  if (x.is_float()) return x;
  Ints y = x.ints();
  for (int64_t& element : y) element = wrapped(element, dtype);
  return y;
}

Tensor from_array(const ir::Array& array) {
  if (ir::is_float(array.dtype())) {
    Floats x = filled<double>(array.dims(), 0);
    for (int64_t i = 0; i < array.size(); ++i) x.data()[i] = array.at(i);
    return x;
  }
  Ints x = filled<int64_t>(array.dims(), 0);
  for (int64_t i = 0; i < array.size(); ++i) x.data()[i] = array.integer_at(i);
  return x;
}

void to_array(const Tensor& x, ir::Array& array) {
  WEFT_CHECK(x.dims() == array.dims() && x.is_float() == ir::is_float(array.dtype()));
  for (int64_t i = 0; i < array.size(); ++i) {
    if (x.is_float())
      array.set(i, x.floats().data()[i]);
    else
      array.set_integer(i, x.ints().data()[i]);
  }
}

}  // namespace weft::backends::reference
