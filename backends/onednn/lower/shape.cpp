// backends/onednn/lower/shape.cpp -- ops that move, repeat or make elements.
#include "backends/onednn/kernels/index.h"
#include "backends/onednn/lower/dtype.h"
#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "backends/onednn/plan/moves.h"
#include "backends/onednn/plan/planner.h"
#include "ir/ops/all.h"

#include <algorithm>

namespace weft::onednn {
namespace {

int64_t size_of(const ir::Dim& dim) { return *dim.constant(); }

// A constant as few stored elements as its readers can live with.
void place_constant(Emit& e, const void* data, const Dims& stored, const Tensor& view) {
  Tensor place = view;
  int64_t bytes = view.element_bytes();
  for (const int64_t d : stored) bytes *= d;
  if (e.readers_accept(place)) {
    place.at = e.planner().plan().add_constant(data, bytes);
    return e.place_constant(place);
  }
  Tensor whole = dense(view.dtype, view.dims, {});
  std::vector<char> elements(static_cast<size_t>(std::max<int64_t>(whole.span_bytes(), 1)));
  if (whole.size() > 0) copy_elements(view, static_cast<const char*>(data), whole, elements.data());
  whole.at = e.planner().plan().add_constant(elements.data(), whole.span_bytes());
  e.place_constant(whole);
}

}  // namespace

// --- views

std::optional<Tensor> view_same(const ir::OpView& op, const Tensor& x) {
  return reshaped(x, dims_of(op.result()));
}

std::optional<Tensor> view_broadcast(const ir::OpView& op, const Tensor& x) {
  return broadcast_to(x, dims_of(op.result()));
}

std::optional<Tensor> view_slice(const ir::OpView& op, const Tensor& x) {
  const int axis = static_cast<int>(op.axis());
  return sliced(x, axis, size_of(op.dim("start")), size_of(op.result().dim(axis)),
                op.integer("step"));
}

std::optional<Tensor> view_reverse(const ir::OpView& op, const Tensor& x) {
  const int axis = static_cast<int>(op.axis());
  if (x.dim(axis) == 0) return x;
  return sliced(x, axis, x.dim(axis) - 1, x.dim(axis), -1);
}

std::optional<Tensor> view_transpose(const ir::OpView& op, const Tensor& x) {
  Tensor out = x;
  const ir::Integers& perm = op.integers("perm");
  for (size_t i = 0; i < perm.size(); ++i) {
    out.dims[i] = x.dim(static_cast<int>(perm[i]));
    out.strides[i] = x.stride(static_cast<int>(perm[i]));
  }
  return out;
}

void lower_view_copy(Emit& e) {
  const Lowering* lowering = find_lowering(&e.op.def());
  if (const auto view = lowering->view(e.op, e.in(0))) return emit_copy(e, *view, e.out());
  emit_copy(e, e.in(0),
            *reshaped(e.out(), e.in(0).dims));  // reshape: strides that cannot be cut anew
}

// --- pieces

void lower_concat(Emit& e) {
  const int axis = static_cast<int>(e.op.axis());
  int64_t at = 0;
  for (int i = 0; i < e.op.operand_count(); ++i) {
    const Tensor& x = e.in(i);
    const Tensor part = sliced(e.out(), axis, at, x.dim(axis));
    if (x.at != part.at || x.strides != part.strides)  // else it was made there
      emit_copy(e, x, part, e.bound());
    at += x.dim(axis);
  }
}

void lower_pad(Emit& e) {
  const int axis = static_cast<int>(e.op.axis());
  const int64_t low = size_of(e.op.dim("low")), high = size_of(e.op.dim("high")),
                n = e.in(0).dim(axis);
  const double value = e.op.real("value");
  emit_fill(e, sliced(e.out(), axis, 0, low), value);
  emit_copy(e, e.in(0), sliced(e.out(), axis, low, n));
  emit_fill(e, sliced(e.out(), axis, low + n, high), value);
}

// --- known when planning

void lower_constant(Emit& e) {
  const ir::DType dtype = e.op.dtype("dtype");
  const ir::Reals& values = e.op.reals("values");
  const ir::Integers& exact = e.op.exact_integers("values");
  const Dims dims = dims_of(e.op.result());
  const size_t count = values.size() + exact.size();
  std::vector<char> data(count * static_cast<size_t>(ir::bytes(dtype)) + 1);
  for (size_t i = 0; i < count; ++i) {
    char* to = data.data() + i * static_cast<size_t>(ir::bytes(dtype));
    if (exact.empty())
      store_real(to, dtype, values[i]);
    else
      store_integer(to, dtype, exact[i]);
  }
  if (count != 1) return place_constant(e, data.data(), dims, dense(dtype, dims, {}));
  place_constant(e, data.data(), {}, {dtype, dims, Dims(dims.size(), 0), {}});
}

void lower_dim_size(Emit& e) {
  const ir::DType dtype = e.op.dtype("dtype");
  char data[8];
  store_real(data, dtype, static_cast<double>(size_of(e.op.operand(0).dim(e.op.axis()))));
  place_constant(e, data, {}, {dtype, {}, {}, {}});
}

void lower_iota(Emit& e) {
  const ir::DType dtype = e.op.dtype("dtype");
  const Dims dims = dims_of(e.op.result());
  const size_t axis = static_cast<size_t>(e.op.integer("axis"));
  const int64_t bytes = ir::bytes(dtype);
  std::vector<char> data(static_cast<size_t>(dims[axis] * bytes + 1));
  for (int64_t i = 0; i < dims[axis]; ++i)
    store_real(data.data() + i * bytes, dtype, static_cast<double>(i));
  Tensor view{dtype, dims, Dims(dims.size(), 0), {}};
  view.strides[axis] = 1;
  place_constant(e, data.data(), {dims[axis]}, view);
}

// --- of integers

void lower_length_mask(Emit& e) {
  const Tensor lengths = e.in(0), y = e.out();
  if (y.size() == 0) return;
  const int64_t size = y.dim(-1), n = y.size() / size;
  if (lengths.dtype == ir::DType::s32) {
    const kernels::LengthMask args{.batch = n, .size = size};
    return e.kernel("length_mask", 0, [args, from = lengths.at, to = y.at](const Run& run) {
      kernels::LengthMask mask = args;
      mask.lengths = run.at<int32_t>(from);
      mask.y = run.at<uint8_t>(to);
      kernels::length_mask(mask);
    });
  }
  e.kernel("length_mask, plain", 0, [=](const Run& run) {
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < size; ++j)
        run.at<uint8_t>(y.at)[i * size + j] = j < integer_at(run, lengths, i);
  });
}

void lower_one_hot(Emit& e) {
  const Tensor index = e.in(0), y = e.out();
  if (y.size() == 0) return;
  const int64_t depth = y.dim(-1), n = y.size() / depth;
  const auto dtype = kernel_dtype(index.dtype);
  if (y.dtype == ir::DType::f32 &&
      (index.dtype == ir::DType::s32 || index.dtype == ir::DType::s64)) {
    const kernels::OneHot args{.n = n, .depth = depth, .index_dtype = *dtype};
    return e.kernel("one_hot", 0, [args, from = index.at, to = y.at](const Run& run) {
      kernels::OneHot one_hot = args;
      one_hot.index = run(from);
      one_hot.y = run.at<float>(to);
      kernels::one_hot(one_hot);
    });
  }
  e.kernel("one_hot, plain", 0, [=](const Run& run) {
    for (int64_t i = 0; i < n; ++i) {
      const int64_t hot = integer_at(run, index, i);
      for (int64_t j = 0; j < depth; ++j)
        store_real(run(y.at) + (i * depth + j) * y.element_bytes(), y.dtype, j == hot ? 1 : 0);
    }
  });
}

namespace {

constexpr Lowering kLowerings[] = {
    view(ir::ops::broadcast, view_broadcast),
    {.op = &ir::ops::concat,
     .lower = lower_concat,
     .operands = Layout::any,
     .results = Layout::any,
     .bounded = always},
    {.op = &ir::ops::constant, .lower = lower_constant, .constant = true},
    {.op = &ir::ops::dim_size, .lower = lower_dim_size, .operands = Layout::any, .constant = true},
    {.op = &ir::ops::iota, .lower = lower_iota, .constant = true},
    {.op = &ir::ops::length_mask, .lower = lower_length_mask},
    {.op = &ir::ops::one_hot, .lower = lower_one_hot},
    {.op = &ir::ops::pad, .lower = lower_pad, .operands = Layout::any, .results = Layout::any},
    view(ir::ops::reshape, view_same),
    view(ir::ops::reverse, view_reverse),
    view(ir::ops::same_dim, view_same),
    view(ir::ops::slice, view_slice),
    view(ir::ops::stop_gradient, view_same),
    view(ir::ops::transpose, view_transpose),
};

}  // namespace

std::span<const Lowering> of_shape() { return kLowerings; }

}  // namespace weft::onednn
