// backends/onednn/lower/gather.cpp -- reading and writing at places that are known only at run
// time.
#include "backends/onednn/kernels/embedding.h"
#include "backends/onednn/lower/dtype.h"
#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "backends/onednn/plan/moves.h"
#include "ir/check.h"
#include "ir/ops/all.h"

#include <algorithm>
#include <cstring>

namespace weft::onednn {
namespace {

// x as [batch, outer, n, inner], indices as [batch, picks], the gathered as [batch, outer, picks,
// inner].
struct Picks {
  int64_t batch = 1, outer = 1, n = 1, inner = 1, picks = 1;
};

Picks picks_of(const ir::OpView& op) {
  const Dims x = dims_of(op.operand(0)), indices = dims_of(op.operand(1));
  const int64_t axis = op.axis(), batch = op.integer("batch");
  Picks p;
  for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i)
    (i < batch   ? p.batch
     : i < axis  ? p.outer
     : i == axis ? p.n
                 : p.inner) *= x[static_cast<size_t>(i)];
  for (size_t i = static_cast<size_t>(batch); i < indices.size(); ++i) p.picks *= indices[i];
  return p;
}

std::string prefix(const ir::OpView& op) {
  const ir::SourceLoc& loc = op.node().from.loc;
  return (loc.known() ? loc.str() + ": " : "") + "error: '" + std::string(op.def().name) +
         "' reads index ";
}

// What is wrong with an index, said when it is found.
struct Complaint {
  std::string before, label;
  Tensor indices;
  int64_t n;

  Complaint(const ir::OpView& op, const Tensor& indices, int64_t n)
      : before(prefix(op)), label(op.def().name), indices(indices), n(n) {
    const ir::Value v = op.node().operands[1];
    label = " of " + op.graph().display_name(v) + ", needs 0 to " + std::to_string(n - 1) + " [" +
            label + ".index]";
  }
  [[noreturn]] void raise(const Run& run, int64_t position) const {
    std::string where = "[";
    Dims at(indices.dims.size());
    int64_t rest = position;
    for (size_t i = at.size(); i-- > 0; rest /= indices.dims[i]) at[i] = rest % indices.dims[i];
    for (size_t i = 0; i < at.size(); ++i) where += (i > 0 ? "," : "") + std::to_string(at[i]);
    throw ir::GraphError(before + std::to_string(integer_at(run, indices, position)) + " at " +
                         where + "]" + label);
  }
};

bool is_index(ir::DType dtype) { return dtype == ir::DType::s32 || dtype == ir::DType::s64; }

void add_element(char* to, const char* x, ir::DType dtype) {
  if (dtype == ir::DType::f32) {
    float a, b;
    std::memcpy(&a, to, 4), std::memcpy(&b, x, 4);
    a += b;
    std::memcpy(to, &a, 4);
  } else {
    store_integer(to, dtype,
                  static_cast<int64_t>(static_cast<uint64_t>(integer_of(to, dtype)) +
                                       static_cast<uint64_t>(integer_of(x, dtype))));
  }
}

bool is_zero(const ir::OpView& op, ir::Value v) {
  const ir::Node* node = op.graph().producer(v);
  if (node == nullptr || node->op != &ir::ops::constant) return false;
  const ir::Reals& values = ir::OpView(op.graph(), *node).reals("values");
  return values.size() == 1 && values[0] == 0;
}

// A scalar start, clamped so that `size` elements of `n` fit.
int64_t clamped(const Run& run, const Tensor& start, int64_t n, int64_t size) {
  return std::clamp<int64_t>(integer_at(run, start), 0, n - size);
}

}  // namespace

void lower_gather(Emit& e) {
  const Picks p = picks_of(e.op);
  const Tensor x = e.in(0), indices = e.in(1), y = e.out();
  if (indices.size() == 0) return;
  const Complaint complaint(e.op, indices, p.n);
  const int64_t bytes = x.element_bytes();
  if (p.batch * p.outer == 1 && is_index(indices.dtype) && y.size() > 0) {
    const kernels::GatherRows args{.n = p.picks,
                                   .table_rows = p.n,
                                   .columns = p.inner,
                                   .element_bytes = bytes,
                                   .index_dtype = *kernel_dtype(indices.dtype)};
    return e.kernel("gather_rows", 0, [=, rows = e.bound()](const Run& run) {
      kernels::GatherRows gather = args;
      if (rows) gather.n = rows->of(run, args.n);
      gather.table = run(x.at);
      gather.index = run(indices.at);
      gather.y = run(y.at);
      if (const int64_t wrong = kernels::gather_rows(gather); wrong >= 0)
        complaint.raise(run, wrong);
    });
  }
  if (p.batch == 1 && is_index(indices.dtype) && y.size() > 0) {
    const kernels::GatherRows args{.n = p.picks,
                                   .table_rows = p.n,
                                   .columns = p.inner,
                                   .element_bytes = bytes,
                                   .index_dtype = *kernel_dtype(indices.dtype)};
    return e.kernel("gather_rows, along an axis", 0, [=](const Run& run) {
      kernels::GatherRows gather = args;
      gather.index = run(indices.at);
      for (int64_t o = 0; o < p.outer; ++o) {
        gather.table = run(x.at) + o * p.n * p.inner * bytes;
        gather.y = run(y.at) + o * p.picks * p.inner * bytes;
        if (const int64_t wrong = kernels::gather_rows(gather); wrong >= 0)
          complaint.raise(run, wrong);
      }
    });
  }
  if (is_index(indices.dtype) && y.size() > 0) {
    const kernels::GatherLanes args{.batch = p.batch,
                                    .outer = p.outer,
                                    .n = p.n,
                                    .inner = p.inner,
                                    .picks = p.picks,
                                    .element_bytes = bytes,
                                    .index_dtype = *kernel_dtype(indices.dtype)};
    return e.kernel("gather_lanes", 0, [=](const Run& run) {
      kernels::GatherLanes gather = args;
      gather.x = run(x.at);
      gather.index = run(indices.at);
      gather.y = run(y.at);
      if (const int64_t wrong = kernels::gather_lanes(gather); wrong >= 0)
        complaint.raise(run, wrong);
    });
  }
  e.kernel("gather, plain", 0, [=](const Run& run) {
    const size_t row = static_cast<size_t>(p.inner * bytes);
    for (int64_t b = 0; b < p.batch; ++b)
      for (int64_t i = 0; i < p.picks; ++i) {
        const int64_t k = integer_at(run, indices, b * p.picks + i);
        if (k < 0 || k >= p.n) complaint.raise(run, b * p.picks + i);
        for (int64_t o = 0; o < p.outer; ++o)
          std::memcpy(run(y.at) + static_cast<size_t>((b * p.outer + o) * p.picks + i) * row,
                      run(x.at) + static_cast<size_t>((b * p.outer + o) * p.n + k) * row, row);
      }
  });
}

bool look_up_bounded(const ir::OpView& op) {
  const Picks p = picks_of(op);
  const bool rows =
      p.batch * p.outer == 1 && op.axis() == 0 && is_index(op.operand(1).dtype) && p.inner > 0;
  return rows && (&op.def() == &ir::ops::gather || op.result().dtype == ir::DType::f32);
}

Layout scatter_operand(const ir::OpView&, int operand) {
  return operand == 0 ? Layout::any : Layout::dense;
}
bool over_first(const ir::OpView&, int result, int operand) { return result == 0 && operand == 0; }

void lower_scatter_add(Emit& e) {
  const Picks p = picks_of(e.op);
  const Tensor x = e.in(0), indices = e.in(1), updates = e.in(2), y = e.out();
  const Complaint complaint(e.op, indices, p.n);
  const bool zero = is_zero(e.op, e.op.node().operands[0]);
  const bool rows = p.batch * p.outer == 1 && is_index(indices.dtype) &&
                    y.dtype == ir::DType::f32 && y.size() > 0;
  e.needs_arithmetic(y.dtype);
  if (!(rows && zero)) emit_copy(e, x, y);
  if (indices.size() == 0) return rows && zero ? emit_fill(e, y, 0) : void();
  if (rows) {
    const kernels::ScatterAddRows args{.n = p.picks,
                                       .table_rows = p.n,
                                       .columns = p.inner,
                                       .index_dtype = *kernel_dtype(indices.dtype),
                                       .accumulate = !zero};
    return e.kernel("scatter_add_rows", 0, [=, rows = e.bound()](const Run& run) {
      kernels::ScatterAddRows scatter = args;
      if (rows) scatter.n = rows->of(run, args.n);
      scatter.x = run.at<float>(updates.at);
      scatter.index = run(indices.at);
      scatter.table = run.at<float>(y.at);
      if (const int64_t wrong = kernels::scatter_add_rows(scatter); wrong >= 0)
        complaint.raise(run, wrong);
    });
  }
  if (is_index(indices.dtype) && y.dtype == ir::DType::f32 && y.size() > 0) {
    const kernels::ScatterAddLanes args{.batch = p.batch,
                                        .outer = p.outer,
                                        .n = p.n,
                                        .inner = p.inner,
                                        .picks = p.picks,
                                        .index_dtype = *kernel_dtype(indices.dtype)};
    return e.kernel("scatter_add_lanes", 0, [=](const Run& run) {
      kernels::ScatterAddLanes scatter = args;
      scatter.x = run.at<float>(updates.at);
      scatter.index = run(indices.at);
      scatter.y = run.at<float>(y.at);
      if (const int64_t wrong = kernels::scatter_add_lanes(scatter); wrong >= 0)
        complaint.raise(run, wrong);
    });
  }
  const int64_t bytes = y.element_bytes();
  e.kernel("scatter_add, plain", 0, [=](const Run& run) {
    for (int64_t b = 0; b < p.batch; ++b)
      for (int64_t i = 0; i < p.picks; ++i) {
        const int64_t k = integer_at(run, indices, b * p.picks + i);
        if (k < 0 || k >= p.n) complaint.raise(run, b * p.picks + i);
        for (int64_t o = 0; o < p.outer; ++o)
          for (int64_t d = 0; d < p.inner; ++d)
            add_element(run(y.at) + (((b * p.outer + o) * p.n + k) * p.inner + d) * bytes,
                        run(updates.at) + (((b * p.outer + o) * p.picks + i) * p.inner + d) * bytes,
                        y.dtype);
      }
  });
}

void lower_dynamic_slice(Emit& e) {
  const int axis = static_cast<int>(e.op.axis());
  const Tensor x = e.in(0), start = e.in(1), y = e.out();
  if (y.size() == 0) return;
  const int64_t n = x.dim(axis), size = y.dim(axis), step = x.stride(axis) * x.element_bytes();
  // The copy of a slice from 0, its source moved.
  const Tensor from = sliced(x, axis, 0, size);
  kernels::CopyStrided args;
  if (!strided_copy(from, y, args)) {
    return e.kernel("dynamic_slice, plain", 0, [=](const Run& run) {
      copy_elements(from, run(from.at) + clamped(run, start, n, size) * step, y, run(y.at));
    });
  }
  e.kernel("dynamic_slice", 0, [=](const Run& run) {
    kernels::CopyStrided copy = args;
    copy.src = run(from.at) + clamped(run, start, n, size) * step;
    copy.dst = run(y.at);
    kernels::copy_strided(copy);
  });
}

void lower_update_slice(Emit& e) {
  const int axis = static_cast<int>(e.op.axis());
  const Tensor x = e.in(0), update = e.in(1), start = e.in(2), y = e.out();
  emit_copy(e, x, y);  // nothing where the result lies over x
  if (update.size() == 0) return;
  const int64_t n = x.dim(axis), size = update.dim(axis), step = y.stride(axis) * y.element_bytes();
  const Tensor to = sliced(y, axis, 0, size);
  kernels::CopyStrided args;
  if (!strided_copy(update, to, args)) {
    return e.kernel("update_slice, plain", 0, [=](const Run& run) {
      copy_elements(update, run(update.at), to, run(to.at) + clamped(run, start, n, size) * step);
    });
  }
  e.kernel("update_slice", 0, [=](const Run& run) {
    kernels::CopyStrided copy = args;
    copy.src = run(update.at);
    copy.dst = run(to.at) + clamped(run, start, n, size) * step;
    kernels::copy_strided(copy);
  });
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::dynamic_slice,
     .lower = lower_dynamic_slice,
     .operands = Layout::any,
     .results = Layout::any},
    {.op = &ir::ops::gather, .lower = lower_gather, .bounded = look_up_bounded},
    {.op = &ir::ops::scatter_add,
     .lower = lower_scatter_add,
     .operand = scatter_operand,
     .in_place = over_first,
     .bounded = look_up_bounded},
    {.op = &ir::ops::update_slice,
     .lower = lower_update_slice,
     .operands = Layout::any,
     .results = Layout::any,
     .in_place = over_first},
};

}  // namespace

std::span<const Lowering> of_gather() { return kLowerings; }

}  // namespace weft::onednn
