// backends/onednn/plan/moves.cpp -- moving elements from one place to another.
#include "backends/onednn/plan/moves.h"

#include "backends/onednn/kernels/copy.h"
#include "backends/onednn/kernels/elementwise.h"
#include "backends/onednn/kernels/gemm.h"
#include "backends/onednn/kernels/gemm_sizes.h"
#include "backends/onednn/plan/planner.h"
#include "ir/check.h"
#include "ir/host/memory.h"

#include <cmath>
#include <cstring>

namespace weft::onednn {

using ir::DType;

// An Array is a view of one element: ir knows how every dtype is read and written.
double real_at(const char* element, DType dtype) {
  if (dtype == DType::f32) {
    float x;
    std::memcpy(&x, element, 4);
    return x;
  }
  return ir::is_float(dtype) ? ir::Array::view(dtype, {}, const_cast<char*>(element)).at(0)
                             : static_cast<double>(integer_of(element, dtype));
}

int64_t integer_of(const char* element, DType dtype) {
  const auto as = [element]<typename T>(T value) {
    std::memcpy(&value, element, sizeof value);
    return static_cast<int64_t>(value);
  };
  switch (dtype) {
    case DType::s64:
      return as(int64_t{});
    case DType::s32:
      return as(int32_t{});
    case DType::u32:
      return as(uint32_t{});
    case DType::s8:
      return as(int8_t{});
    case DType::u8:
    case DType::pred:
      return as(uint8_t{});
    default:
      return static_cast<int64_t>(real_at(element, dtype));
  }
}

void store_integer(char* element, DType dtype, int64_t value) {
  WEFT_CHECK(!ir::is_float(dtype));
  std::memcpy(element, &value, static_cast<size_t>(ir::bytes(dtype)));  // little-endian: wraps
}

void store_real(char* element, DType dtype, double value) {
  if (dtype == DType::f32) {
    const float x = static_cast<float>(value);
    std::memcpy(element, &x, 4);
  } else if (ir::is_float(dtype)) {
    ir::Array::view(dtype, {}, element).set(0, value);
  } else {
    store_integer(element, dtype, static_cast<int64_t>(value));
  }
}

void copy_elements(const Tensor& from, const char* src, const Tensor& to, char* dst, int axis) {
  const int64_t bytes = from.element_bytes();
  if (axis == from.rank()) {
    std::memcpy(dst, src, static_cast<size_t>(bytes));
    return;
  }
  if (axis == from.rank() - 1 && from.stride(axis) == 1 && to.stride(axis) == 1) {
    std::memcpy(dst, src, static_cast<size_t>(bytes * from.dim(axis)));
    return;
  }
  for (int64_t i = 0; i < from.dim(axis); ++i)
    copy_elements(from, src + i * from.stride(axis) * bytes, to, dst + i * to.stride(axis) * bytes,
                  axis + 1);
}

void zero_elements(const Tensor& to, char* dst, int axis) {
  const int64_t bytes = to.element_bytes();
  if (axis == to.rank()) {
    std::memset(dst, 0, static_cast<size_t>(bytes));
    return;
  }
  if (axis == to.rank() - 1 && to.stride(axis) == 1) {
    std::memset(dst, 0, static_cast<size_t>(bytes * to.dim(axis)));
    return;
  }
  for (int64_t i = 0; i < to.dim(axis); ++i)
    zero_elements(to, dst + i * to.stride(axis) * bytes, axis + 1);
}

bool strided_copy(Tensor from, Tensor to, kernels::CopyStrided& args) {
  collapse({&from, &to});
  if (from.wide != to.wide || from.narrow != to.narrow || from.rank() > kernels::kMaxRank)
    return false;
  args = {.rank = from.rank(), .element_bytes = from.element_bytes()};
  for (int i = 0; i < from.rank(); ++i) {
    args.shape[i] = from.dim(i);
    args.src_strides[i] = from.stride(i);
    args.dst_strides[i] = to.stride(i);
  }
  return true;
}

namespace {

// What lies in one of f32 and bf16, and is read as the other, made so.
Kernel casting_kernel(const Tensor& from, const Tensor& to) {
  const auto access = [](const Tensor& t, kernels::DType dtype) {
    kernels::Access access{.dtype = dtype};
    std::copy(t.strides.begin(), t.strides.end(), access.strides.begin());
    return access;
  };
  WEFT_CHECK(from.rank() <= kernels::kMaxRank);
  const auto as = from.wide ? kernels::DType::f32 : kernels::DType::bf16,
             wanted = from.wide ? kernels::DType::bf16 : kernels::DType::f32;
  const auto program = std::make_shared<kernels::Elementwise>(
      kernels::ElementwiseSpec{to.dims,
                               {access(from, as)},
                               {{.op = kernels::Opcode::cast, .dtype = wanted}},
                               {access(to, wanted)},
                               {1}});
  const auto space = std::make_shared<std::vector<char>>(program->workspace_bytes());
  Kernel k;
  k.name = "cast";
  k.run = [program, space, x = from.at, y = to.at](const Run& run) {
    const void* in[] = {run(x)};
    void* out[] = {run(y)};
    program->run(in, out, space->data());
  };
  return k;
}

}  // namespace

Kernel copy_kernel(const Tensor& from_place, const Tensor& to_place) {
  WEFT_CHECK(from_place.dims == to_place.dims && from_place.dtype == to_place.dtype);
  Tensor from = from_place, to = to_place;
  collapse({&from, &to});
  Kernel k;
  k.name = "copy";
  WEFT_CHECK((!to.wide || from.wide) && (!to.narrow || from.narrow));
  if (from.wide != to.wide || from.narrow != to.narrow) return casting_kernel(from, to);
  if (from.size() == 0) {
    k.run = [](const Run&) {};
    return k;
  }
  kernels::CopyStrided args;
  if (!strided_copy(from, to, args)) {
    k.run = [from, to](const Run& run) {
      if (run(from.at) != run(to.at)) copy_elements(from, run(from.at), to, run(to.at));
    };
    return k;
  }
  k.run = [args, src = from.at, dst = to.at](const Run& run) {
    kernels::CopyStrided copy = args;
    copy.src = run(src);
    copy.dst = run(dst);
    if (copy.src != copy.dst) kernels::copy_strided(copy);
  };
  return k;
}

void emit_copy(Emit& e, const Tensor& from, const Tensor& to) {
  if (from.size() > 0) e.kernel("copy", 0, copy_kernel(from, to).run);
}

void emit_copy(Emit& e, const Tensor& from, const Tensor& to, const std::optional<RowBound>& rows) {
  kernels::CopyStrided args;
  if (!rows || rows->rows <= 1 || from.size() == 0 || !strided_copy(from, to, args))
    return emit_copy(e, from, to);
  e.kernel("copy", 0, [args, rows = *rows, src = from.at, dst = to.at](const Run& run) {
    kernels::CopyStrided copy = args;
    copy.shape[0] = rows.of(run, args.shape[0]);
    copy.src = run(src);
    copy.dst = run(dst);
    if (copy.src != copy.dst && copy.shape[0] > 0) kernels::copy_strided(copy);
  });
}

uint64_t bits_of(double value, DType dtype) {
  uint64_t bits = 0;
  store_real(reinterpret_cast<char*>(&bits), dtype, value);
  return bits;
}

void emit_fill(Emit& e, const Tensor& place, double value) {
  if (place.size() == 0) return;
  if (place.rank() > kernels::kMaxRank) {
    Tensor element{place.dtype, place.dims, Dims(place.dims.size(), 0), {}};
    const uint64_t bits = bits_of(value, place.dtype);
    element.at = e.planner().plan().add_constant(&bits, 8);
    return emit_copy(e, element, place);
  }
  Tensor to = place;
  collapse({&to});
  kernels::Fill args{
      .rank = to.rank(), .element_bytes = to.element_bytes(), .value = bits_of(value, to.dtype)};
  for (int i = 0; i < to.rank(); ++i) {
    args.shape[i] = to.dim(i);
    args.dst_strides[i] = to.stride(i);
  }
  e.kernel("fill", 0, [args, dst = to.at](const Run& run) {
    kernels::Fill fill = args;
    fill.dst = run(dst);
    kernels::fill(fill);
  });
}

namespace {

// Weights in a file, whose columns lie one behind the other: a piece is read, packed and let go.
void pack_in_pieces(const kernels::PackWeights& whole, int64_t element_bytes) {
  constexpr int64_t kPiece = 8 << 20;  // bytes
  const int64_t panel = kernels::packed_weights_panel(whole), column = whole.column * element_bytes;
  const int64_t most = std::max<int64_t>(kPiece / (panel * column), 1) * panel;
  const auto* const w = static_cast<const char*>(whole.w);
  for (int64_t j = 0; j < whole.columns; j += most) {
    kernels::PackWeights k = whole;
    k.columns = std::min(most, whole.columns - j);
    k.w = w + j * column;
    k.packed = static_cast<char*>(whole.packed) +
               j * kernels::packed_weights_words(whole) * int64_t{sizeof(float)};
    // Of a part of a longer column, nothing behind its own end.
    const auto bytes = static_cast<size_t>((k.columns - 1) * column + k.depth * element_bytes);
    ir::read_pages(k.w, bytes);
    kernels::pack_weights(k);
    ir::release_pages(k.w, bytes);
  }
}

}  // namespace

void emit_packing(Emit& e, const Tensor& b, Ref to, const PanelSizes& sizes) {
  const kernels::PackWeights args{.dtype = gemm_dtype(b.dtype),
                                  .rounds = b.wide,
                                  .depth = b.dim(0),
                                  .columns = b.dim(1),
                                  .row = b.stride(0),
                                  .column = b.dim(1) == 1 ? 1 : b.stride(1),
                                  .panel = sizes.columns,
                                  .depth_step = sizes.depth_step};
  e.kernel("pack weights", 0, [=, from = b.at, bytes = b.element_bytes()](const Run& run) {
    kernels::PackWeights k = args;
    k.w = run(from), k.packed = run(to);
    if (run.source != nullptr && run.source->of_file() && k.row == 1 && k.column >= k.depth)
      return pack_in_pieces(k, bytes);
    kernels::pack_weights(k);
  });
}

int64_t integer_at(const Run& run, const Tensor& tensor, int64_t i) {
  return integer_of(run(tensor.at) + i * tensor.element_bytes(), tensor.dtype);
}

}  // namespace weft::onednn
