// ir/host/array.h -- a dense host array: constants, arguments, results, checkpoints.
//
// Row-major, 64-byte aligned. Copies share the buffer (`clone` copies it), so that handing arrays
// around is free and a donated argument and its result can be one buffer.
#pragma once
#include "ir/dtype.h"

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weft::ir {

using Dims = std::vector<int64_t>;

// Number of elements; throws GraphError when a dim is negative or the product overflows 2^62 bytes.
int64_t element_count(std::span<const int64_t> dims);
std::string dims_str(std::span<const int64_t> dims);  // "[2,3]"

class Array {
 public:
  Array() = default;
  Array(DType dtype, Dims dims);               // zero-filled
  static Array unset(DType dtype, Dims dims);  // to be written all over

  // Views memory of somebody else's; `owner` keeps it alive (may be null). `of_file`: the private
  // pages of a mapped file, not to be written to.
  static Array view(DType dtype, Dims dims, void* data, std::shared_ptr<void> owner = nullptr,
                    bool of_file = false);

  template <typename T>
  static Array of(DType dtype, Dims dims, const std::vector<T>& values);

  DType dtype() const { return dtype_; }
  const Dims& dims() const { return dims_; }
  int rank() const { return static_cast<int>(dims_.size()); }
  int64_t dim(int axis) const { return dims_[axis < 0 ? axis + rank() : axis]; }
  int64_t size() const { return size_; }
  int64_t bytes() const { return size_ * ir::bytes(dtype_); }
  bool empty() const { return data_ == nullptr && size_ == 0; }

  void* raw() { return data_.get(); }
  const void* raw() const { return data_.get(); }
  template <typename T>
  T* data() {
    return static_cast<T*>(data_.get());
  }
  template <typename T>
  const T* data() const {
    return static_cast<const T*>(data_.get());
  }
  template <typename T>
  std::span<const T> values() const {
    return {data<T>(), static_cast<size_t>(size_)};
  }

  // One element as a double (integers above 2^53 lose bits) or as an integer.
  double at(int64_t i) const;
  int64_t integer_at(int64_t i) const;
  void set(int64_t i, double value);
  void set_integer(int64_t i, int64_t value);

  Array clone() const;
  Array cast(DType to) const;  // floats round to nearest; float -> integer truncates and saturates
  Array reshaped(Dims dims) const;  // shares the buffer
  Array transposed() const;         // of two dims
  // Where it is of a file, its pages are read now; they need not stay in memory: touched again, they
  // are read again. Of other arrays, nothing.
  bool of_file() const { return of_file_; }
  void fetch() const;
  void release() const;
  bool same_bytes(const Array& other) const;

 private:
  DType dtype_ = DType::f32;
  Dims dims_;
  int64_t size_ = 0;
  bool of_file_ = false;
  std::shared_ptr<void> data_;
};

template <typename T>
Array Array::of(DType dtype, Dims dims, const std::vector<T>& values) {
  Array a(dtype, std::move(dims));
  for (int64_t i = 0; i < a.size() && i < static_cast<int64_t>(values.size()); ++i) {
    if constexpr (std::is_integral_v<T>)
      a.set_integer(i, static_cast<int64_t>(values[i]));
    else
      a.set(i, static_cast<double>(values[i]));
  }
  return a;
}

}  // namespace weft::ir
