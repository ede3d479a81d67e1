// backends/onednn/plan/tensor.cpp -- strides.
#include "backends/onednn/plan/tensor.h"

#include "ir/check.h"

namespace weft::onednn {
namespace {

// Row stride if axes [0, last) are one even index, ignoring axes of size 1.
std::optional<int64_t> even_stride(const Tensor& t, int last) {
  int64_t stride = 0, extent = 1;
  for (int axis = last - 1; axis >= 0; --axis) {
    if (t.dim(axis) == 1) continue;
    if (extent == 1)
      stride = t.stride(axis);
    else if (t.stride(axis) != stride * extent)
      return std::nullopt;
    extent *= t.dim(axis);
  }
  return stride;
}

bool matrix_of(int64_t rows, int64_t columns, int64_t row, int64_t column) {
  return (columns == 1 || column == 1) && (rows == 1 || row >= columns);
}

}  // namespace

int64_t Tensor::size() const {
  int64_t n = 1;
  for (const int64_t d : dims) n *= d;
  return n;
}

int64_t Tensor::span_bytes() const {
  int64_t last = 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0) return 0;
    last += (dims[i] - 1) * strides[i];
  }
  return (last + 1) * element_bytes();
}

Dims dims_of(const ir::TensorType& type) {
  Dims dims;
  for (const ir::Dim& d : type.shape) {
    WEFT_CHECK(d.is_constant());
    dims.push_back(*d.constant());
  }
  return dims;
}

Dims dense_strides(const Dims& dims) {
  Dims strides(dims.size());
  int64_t n = 1;
  for (size_t i = dims.size(); i-- > 0; n *= dims[i]) strides[i] = n;
  return strides;
}

Dims padded_strides(const Dims& dims, ir::DType dtype) {
  Dims strides = dense_strides(dims);
  constexpr int64_t kApart = 64;  // bytes
  const bool multiplied = dtype == ir::DType::f32 || dtype == ir::DType::bf16;
  const int64_t bytes = ir::bytes(dtype);
  if (dims.size() < 2 || !multiplied || dims.back() == 0 || dims.back() * bytes % 1024 != 0)
    return strides;
  int64_t n = dims.back() + kApart / bytes;
  for (size_t i = dims.size() - 1; i-- > 0; n *= dims[i]) strides[i] = n;
  return strides;
}

Tensor dense(ir::DType dtype, Dims dims, Ref at) {
  Dims strides = dense_strides(dims);
  return {dtype, std::move(dims), std::move(strides), at};
}

bool is_dense(const Tensor& t) {
  if (t.size() == 0) return true;
  int64_t n = 1;
  for (int axis = t.rank() - 1; axis >= 0; --axis) {
    if (t.dim(axis) != 1 && t.stride(axis) != n) return false;
    n *= t.dim(axis);
  }
  return true;
}

std::optional<int64_t> row_stride(const Tensor& t) {
  if (t.rank() < 2) return t.rank() == 1 ? t.dim(0) : 1;
  const auto stride = even_stride(t, t.rank() - 1);
  if (stride && row_count(t) <= 1) return t.dim(-1);
  return stride;
}

int64_t row_count(const Tensor& t) {
  int64_t n = 1;
  for (int axis = 0; axis + 1 < t.rank(); ++axis) n *= t.dim(axis);
  return n;
}

bool fits(Layout layout, const Tensor& t) {
  if (layout == Layout::any || t.size() == 0) return true;
  if (layout == Layout::dense) return is_dense(t);
  for (const int64_t s : t.strides)
    if (s < 0) return false;
  if (t.rank() == 0) return true;
  if (layout == Layout::matrix && t.rank() >= 2)
    return matrix_of(t.dim(-2), t.dim(-1), t.stride(-2), t.stride(-1)) ||
           matrix_of(t.dim(-1), t.dim(-2), t.stride(-1), t.stride(-2));
  if (t.dim(-1) != 1 && t.stride(-1) != 1) return false;
  if (layout != Layout::rows) return true;
  const auto rows = row_stride(t);
  return rows && (*rows >= t.dim(-1) || row_count(t) == 1);
}

std::optional<Tensor> reshaped(const Tensor& t, const Dims& dims) {
  Tensor out = t;
  out.dims = dims;
  out.strides.assign(dims.size(), 0);
  out.steps_packed = false;
  WEFT_CHECK(out.size() == t.size());
  if (t.size() == 0) {
    out.strides = dense_strides(dims);
    return out;
  }
  Dims old_dims, old_strides;
  for (size_t i = 0; i < t.dims.size(); ++i) {
    if (t.dims[i] == 1) continue;
    old_dims.push_back(t.dims[i]);
    old_strides.push_back(t.strides[i]);
  }
  // Runs of old axes and of new axes that hold equally many elements go together.
  size_t i = 0, j = 0;
  while (i < old_dims.size() && j < dims.size()) {
    size_t i_end = i + 1, j_end = j + 1;
    for (int64_t a = old_dims[i], b = dims[j]; a != b;) {
      if (b < a)
        b *= dims[j_end++];
      else
        a *= old_dims[i_end++];
    }
    for (size_t k = i; k + 1 < i_end; ++k)
      if (old_strides[k] != old_dims[k + 1] * old_strides[k + 1]) return std::nullopt;
    int64_t stride = old_strides[i_end - 1];
    for (size_t k = j_end; k-- > j; stride *= dims[k]) out.strides[k] = stride;
    i = i_end;
    j = j_end;
  }
  for (; j < dims.size(); ++j) out.strides[j] = 1;
  return out;
}

Tensor without_axis(const Tensor& t, int axis) {
  Tensor out = t;
  out.dims.erase(out.dims.begin() + axis);
  out.strides.erase(out.strides.begin() + axis);
  return out;
}

Tensor with_axis(const Tensor& t, int axis, int64_t size, int64_t stride) {
  Tensor out = t;
  out.dims.insert(out.dims.begin() + axis, size);
  out.strides.insert(out.strides.begin() + axis, stride);
  return out;
}

Tensor sliced(const Tensor& t, int axis, int64_t start, int64_t size, int64_t step) {
  Tensor out = t;
  out.dims[static_cast<size_t>(axis)] = size;
  if (size > 0) out.at.offset += start * t.stride(axis) * t.element_bytes();
  out.strides[static_cast<size_t>(axis)] *= step;
  return out;
}

Tensor broadcast_to(const Tensor& t, const Dims& dims) {
  Tensor out = t;
  out.dims = dims;
  out.strides.assign(dims.size(), 0);
  out.steps_packed = false;
  const size_t extra = dims.size() - t.dims.size();
  for (size_t i = 0; i < t.dims.size(); ++i)
    if (t.dims[i] == dims[extra + i]) out.strides[extra + i] = t.dims[i] == 1 ? 0 : t.strides[i];
  return out;
}

Tensor transposed(const Tensor& t) {
  Tensor out = t;
  const size_t n = t.dims.size();
  std::swap(out.dims[n - 1], out.dims[n - 2]);
  std::swap(out.strides[n - 1], out.strides[n - 2]);
  return out;
}

void collapse(std::vector<Tensor*> tensors) {
  const Dims dims = tensors[0]->dims;
  Dims kept;
  std::vector<Dims> strides(tensors.size());
  for (size_t axis = dims.size(); axis-- > 0;) {
    if (dims[axis] == 1) continue;
    bool merges = !kept.empty();
    for (size_t k = 0; k < tensors.size() && merges; ++k)
      merges = tensors[k]->strides[axis] == strides[k].front() * kept.front();
    if (merges) {
      kept.front() *= dims[axis];
      continue;
    }
    kept.insert(kept.begin(), dims[axis]);
    for (size_t k = 0; k < tensors.size(); ++k)
      strides[k].insert(strides[k].begin(), tensors[k]->strides[axis]);
  }
  for (size_t k = 0; k < tensors.size(); ++k) {
    tensors[k]->dims = kept;
    tensors[k]->strides = strides[k];
  }
}

std::string str(const Tensor& t) {
  std::string s = std::string(ir::name(t.dtype)) + ir::dims_str(t.dims) +
                  (t.wide     ? " as f32"
                   : t.narrow ? " as bf16"
                              : "");
  if (!is_dense(t)) {
    s += " (";
    for (size_t i = 0; i < t.strides.size(); ++i)
      s += (i ? "," : "") + std::to_string(t.strides[i]);
    s += ")";
  }
  return s;
}

}  // namespace weft::onednn
