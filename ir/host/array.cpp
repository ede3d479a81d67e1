// ir/host/array.cpp -- dense host arrays.
#include "ir/host/array.h"

#include "ir/check.h"
#include "ir/error.h"
#include "ir/host/memory.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace weft::ir {
namespace {

float half_to_float(uint16_t h) {
  const uint32_t sign = (h & 0x8000u) << 16, exponent = (h >> 10) & 31, fraction = h & 0x3ffu;
  uint32_t bits;
  if (exponent == 31) {
    bits = sign | 0x7f800000u | fraction << 13;
  } else if (exponent != 0) {
    bits = sign | (exponent + 112) << 23 | fraction << 13;
  } else {  // zero or subnormal: fraction * 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}

float bf16_to_float(uint16_t b) {
  const uint32_t bits = static_cast<uint32_t>(b) << 16;
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}

uint16_t float_to_bf16(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  if (f != f) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

uint16_t float_to_half(float f) {  // to nearest, halves to even
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7e00u;   // NaN
  if (magnitude >= 0x477ff000u) return sign | 0x7c00u;  // rounds to infinity
  if (magnitude < 0x38800000u) {                        // subnormal: in units of 2^-24
    float absolute;
    std::memcpy(&absolute, &magnitude, 4);
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyint(absolute * 0x1p24f)));
  }
  const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | (rounded - 0x38000000u) >> 13);
}

// Towards 0; NaN is 0, what lies outside the range the nearest in it.
int64_t saturated(double x, DType dtype) {
  const DTypeInfo& type = info(dtype);
  const double above = std::ldexp(1.0, type.bits - (type.is_signed ? 1 : 0));
  if (std::isnan(x)) return 0;
  if (x >= above)
    return dtype == DType::s64 ? std::numeric_limits<int64_t>::max()
                               : static_cast<int64_t>(above) - 1;
  return static_cast<int64_t>(std::max(x, type.is_signed ? -above : 0.0));
}

// [rows,columns] -> [columns,rows], in squares that stay in the cache.
template <typename T>
Array columns_as_rows(const Array& a) {
  constexpr int64_t kSide = 32;
  const int64_t rows = a.dim(0), columns = a.dim(1);
  Array t = Array::unset(a.dtype(), {columns, rows});
  const T* from = a.data<T>();
  T* to = t.data<T>();
  for (int64_t r0 = 0; r0 < rows; r0 += kSide)
    for (int64_t c0 = 0; c0 < columns; c0 += kSide)
      for (int64_t c = c0; c < std::min(c0 + kSide, columns); ++c)
        for (int64_t r = r0; r < std::min(r0 + kSide, rows); ++r)
          to[c * rows + r] = from[r * columns + c];
  return t;
}

}  // namespace

int64_t element_count(std::span<const int64_t> dims) {
  int64_t count = 1;
  bool zero = false;
  for (const int64_t d : dims) {
    if (d < 0) throw GraphError(concat("a dim of ", dims_str(dims), " is negative"));
    if (d == 0) zero = true;
    if (d != 0 && __builtin_mul_overflow(count, d, &count))
      throw GraphError(concat("the element count of ", dims_str(dims), " overflows"));
  }
  if (count > std::numeric_limits<int64_t>::max() / 16)
    throw GraphError(concat("the byte count of ", dims_str(dims), " overflows"));
  return zero ? 0 : count;
}

std::string dims_str(std::span<const int64_t> dims) {
  std::string s = "[";
  for (size_t i = 0; i < dims.size(); ++i) s += (i ? "," : "") + std::to_string(dims[i]);
  return s + "]";
}

Array::Array(DType dtype, Dims dims) : Array(unset(dtype, std::move(dims))) {
  std::memset(raw(), 0, static_cast<size_t>(bytes()));
}

Array Array::unset(DType dtype, Dims dims) {
  constexpr size_t kBehind = 64;  // for whole vectors
  Array a;
  a.dtype_ = dtype;
  a.dims_ = std::move(dims);
  a.size_ = element_count(a.dims_);
  const size_t size = static_cast<size_t>(a.bytes()) + kBehind;
  Memory p = allocate(size);
  if (p == nullptr) throw RuntimeError(concat("out of memory: ", size, " bytes for an array"));
  want_huge_pages(p.get(), size);
  std::memset(static_cast<char*>(p.get()) + a.bytes(), 0, kBehind);
  a.data_ = std::move(p);
  return a;
}

Array Array::view(DType dtype, Dims dims, void* data, std::shared_ptr<void> owner, bool of_file) {
  Array a;
  a.of_file_ = of_file;
  a.dtype_ = dtype;
  a.dims_ = std::move(dims);
  a.size_ = element_count(a.dims_);
  a.data_ = std::shared_ptr<void>(std::move(owner), data);
  return a;
}

double Array::at(int64_t i) const {
  switch (dtype_) {
    case DType::f32:
      return data<float>()[i];
    case DType::f64:
      return data<double>()[i];
    case DType::f16:
      return half_to_float(data<uint16_t>()[i]);
    case DType::bf16:
      return bf16_to_float(data<uint16_t>()[i]);
    default:
      return static_cast<double>(integer_at(i));
  }
}

int64_t Array::integer_at(int64_t i) const {
  switch (dtype_) {
    case DType::s64:
      return data<int64_t>()[i];
    case DType::s32:
      return data<int32_t>()[i];
    case DType::u32:
      return data<uint32_t>()[i];
    case DType::u8:
      return data<uint8_t>()[i];
    case DType::s8:
      return data<int8_t>()[i];
    case DType::pred:
      return data<uint8_t>()[i] != 0;
    default:
      return static_cast<int64_t>(at(i));
  }
}

void Array::set(int64_t i, double value) {
  switch (dtype_) {
    case DType::f32:
      data<float>()[i] = static_cast<float>(value);
      break;
    case DType::f64:
      data<double>()[i] = value;
      break;
    case DType::f16:
      data<uint16_t>()[i] = float_to_half(static_cast<float>(value));
      break;
    case DType::bf16:
      data<uint16_t>()[i] = float_to_bf16(static_cast<float>(value));
      break;
    case DType::pred:
      data<uint8_t>()[i] = value != 0;
      break;
    default:
      set_integer(i, saturated(value, dtype_));
  }
}

void Array::set_integer(int64_t i, int64_t value) {
  switch (dtype_) {
    case DType::s64:
      data<int64_t>()[i] = value;
      break;
    case DType::s32:
      data<int32_t>()[i] = static_cast<int32_t>(value);
      break;
    case DType::u32:
      data<uint32_t>()[i] = static_cast<uint32_t>(value);
      break;
    case DType::u8:
      data<uint8_t>()[i] = static_cast<uint8_t>(value);
      break;
    case DType::s8:
      data<int8_t>()[i] = static_cast<int8_t>(value);
      break;
    case DType::pred:
      data<uint8_t>()[i] = value != 0;
      break;
    default:
      set(i, static_cast<double>(value));
  }
}

Array Array::clone() const {
  Array a = unset(dtype_, dims_);
  if (bytes() > 0) std::memcpy(a.raw(), raw(), static_cast<size_t>(bytes()));
  return a;
}

Array Array::cast(DType to) const {
  if (to == dtype_) return *this;
  Array a = unset(to, dims_);
  // Of weights there are many.
  const auto each = [&](const auto* from, auto* into, const auto& converted) {
    for (int64_t i = 0; i < size_; ++i) into[i] = converted(from[i]);
    return a;
  };
  if (dtype_ == DType::f16 && to == DType::f32)
    return each(data<uint16_t>(), a.data<float>(), half_to_float);
  if (dtype_ == DType::bf16 && to == DType::f32)
    return each(data<uint16_t>(), a.data<float>(), bf16_to_float);
  if (dtype_ == DType::f32 && to == DType::f16)
    return each(data<float>(), a.data<uint16_t>(), float_to_half);
  if (dtype_ == DType::f32 && to == DType::bf16)
    return each(data<float>(), a.data<uint16_t>(), float_to_bf16);
  for (int64_t i = 0; i < size_; ++i) {
    if (ir::is_float(dtype_))
      a.set(i, at(i));
    else
      a.set_integer(i, integer_at(i));
  }
  return a;
}

Array Array::reshaped(Dims dims) const {
  Array a = *this;
  a.dims_ = std::move(dims);
  WEFT_CHECK(element_count(a.dims_) == size_);
  return a;
}

Array Array::transposed() const {
  WEFT_CHECK(rank() == 2);
  switch (ir::bytes(dtype_)) {
    case 1:
      return columns_as_rows<uint8_t>(*this);
    case 2:
      return columns_as_rows<uint16_t>(*this);
    case 4:
      return columns_as_rows<uint32_t>(*this);
    default:
      return columns_as_rows<uint64_t>(*this);
  }
}

void Array::fetch() const {
  if (of_file_) read_pages(data_.get(), static_cast<size_t>(bytes()));
}

void Array::release() const {
  if (of_file_) release_pages(data_.get(), static_cast<size_t>(bytes()));
}

bool Array::same_bytes(const Array& other) const {
  return dtype_ == other.dtype_ && dims_ == other.dims_ &&
         (bytes() == 0 || std::memcmp(raw(), other.raw(), static_cast<size_t>(bytes())) == 0);
}

}  // namespace weft::ir
