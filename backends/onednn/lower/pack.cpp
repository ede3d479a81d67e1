// backends/onednn/lower/pack.cpp -- moving real rows together and back: where each goes is found,
// then rows are copied.
#include "backends/onednn/kernels/embedding.h"
#include "backends/onednn/lower/entries.h"
#include "backends/onednn/lower/ops.h"
#include "backends/onednn/plan/moves.h"
#include "ir/ops/all.h"

#include <algorithm>
#include <numeric>

namespace weft::onednn {
namespace {

// Where the sequences' rows are among steps * batch.
struct RealRows {
  Tensor lengths, places;
  bool placed, by_sequence;
  int64_t steps, batch;
  Ref index;          // s64[steps * batch]
  std::string error;  // before and after what was found

  RealRows(Emit& e, int64_t steps)
      : lengths(e.in("lengths")),
        places(lengths),
        placed(e.has("places")),
        by_sequence(e.op.flag("by_sequence")),
        steps(steps),
        batch(lengths.dim(0)) {
    if (placed) places = e.in("places");
    index = e.workspace(std::max<int64_t>(steps * batch, 1) * 8);
    const ir::SourceLoc& loc = e.op.node().from.loc;
    error = ir::concat(loc.known() ? loc.str() + ": " : "", "error: '", e.op.def().name,
                       "' needs places in [0, ", batch, "), found ");
  }

  // f(t, where b is, whether it is real) in the order of packed rows.
  template <typename F>
  void each(const Run& run, F f) const {
    const int32_t* length = run.at<int32_t>(lengths.at);
    const int32_t* place = placed ? run.at<int32_t>(places.at) : nullptr;
    for (int64_t b = 0; placed && b < batch; ++b)
      if (const int32_t at = place[b * places.stride(0)]; at < 0 || at >= batch)
        throw ir::GraphError(ir::concat(error, at, " at places[", b, "] [pack.4]"));
    const auto visit = [&](int64_t t, int64_t b) {
      f(t, placed ? place[b * places.stride(0)] : b, t < length[b * lengths.stride(0)]);
    };
    for (int64_t b = 0; by_sequence && b < batch; ++b)
      for (int64_t t = 0; t < steps; ++t) visit(t, b);
    for (int64_t t = 0; !by_sequence && t < steps; ++t)
      for (int64_t b = 0; b < batch; ++b) visit(t, b);
  }
  // Among the rows of a dense [steps,batch,...] or [batch,steps,...].
  int64_t row(int64_t t, int64_t b) const { return by_sequence ? b * steps + t : t * batch + b; }
};

// Axes from `axis` on are one run of memory, those in front at any distances that are not negative.
bool in_runs(const Tensor& t, int axis) {
  int64_t n = 1;
  for (int i = t.rank() - 1; i >= axis; n *= t.dim(i), --i)
    if (t.dim(i) != 1 && t.stride(i) != n) return false;
  return std::all_of(t.strides.begin(), t.strides.begin() + axis,
                     [](int64_t stride) { return stride >= 0; });
}

Tensor with_runs(Emit& e, const Tensor& t, int axis) {
  return in_runs(t, axis) ? t : e.as(Layout::dense, t);
}

int64_t elements_behind(const Tensor& t, int axis) {
  int64_t n = 1;
  for (int i = axis; i < t.rank(); ++i) n *= t.dim(i);
  return n;
}

// How far apart the rows of a result are, its axes [0, leading) being one row index; 0: they are
// not runs of memory at an even distance.
int64_t distance(const Tensor& y, int leading) {
  if (!in_runs(y, leading)) return 0;
  if (is_dense(y)) return elements_behind(y, leading);
  Tensor rows = y;
  rows.dims.resize(static_cast<size_t>(leading));
  rows.strides.resize(static_cast<size_t>(leading));
  const auto one = reshaped(rows, {rows.size()});
  return one ? one->stride(0) : 0;
}

// The result, or a dense stand-in for it.
Tensor even_rows(Emit& e, const Tensor& y, int leading) {
  return distance(y, leading) > 0 ? y : e.temporary(y.dtype, y.dims);
}

}  // namespace

void lower_pack(Emit& e) {
  if (e.out().size() == 0) return;
  const Tensor x = with_runs(e, e.in(0), 2);
  const int steps = e.op.flag("by_sequence") ? 1 : 0;
  const RealRows rows(e, x.dim(steps));
  const Tensor y = even_rows(e, e.out(), 1);
  const int64_t unit = std::max<int64_t>(std::gcd(x.stride(0), x.stride(1)), 1);
  const int64_t by_step = x.stride(steps) / unit, by_row = x.stride(1 - steps) / unit;
  const kernels::GatherRows args{
      .n = y.dim(0),
      .table_rows = (rows.steps - 1) * by_step + (rows.batch - 1) * by_row + 1,
      .columns = elements_behind(x, 2),
      .element_bytes = x.element_bytes(),
      .ld_table = unit,
      .index_dtype = kernels::DType::s64,
      .ld_y = distance(y, 1)};
  e.kernel("pack", 0, [=, bound = e.bound()](const Run& run) {
    int64_t* index = run.at<int64_t>(rows.index);
    int64_t n = 0;
    rows.each(run, [&](int64_t t, int64_t b, bool real) {
      if (real) index[n++] = t * by_step + b * by_row;
    });
    kernels::GatherRows gather = args;
    if (bound)
      gather.n = n;
    else
      std::fill(index + n, index + args.n, int64_t{-1});  // gathers zeros
    gather.table = run(x.at);
    gather.index = index;
    gather.y = run(y.at);
    kernels::gather_rows(gather);
  });
  if (y.at != e.out().at) emit_copy(e, y, e.out(), e.bound());
}

void lower_unpack(Emit& e) {
  if (e.out().size() == 0) return;
  const Tensor p = e.in(0).stride(0) == 0 ? e.as(Layout::dense, e.in(0)) : with_runs(e, e.in(0), 1),
               y = even_rows(e, e.out(), 2);
  const RealRows rows(e, y.dim(e.op.flag("by_sequence") ? 1 : 0));
  const kernels::GatherRows args{.n = y.dim(0) * y.dim(1),
                                 .table_rows = p.dim(0),
                                 .columns = elements_behind(y, 2),
                                 .element_bytes = y.element_bytes(),
                                 .ld_table = p.stride(0),
                                 .index_dtype = kernels::DType::s64,
                                 .ld_y = distance(y, 2)};
  e.kernel("unpack", 0, [=](const Run& run) {
    int64_t* index = run.at<int64_t>(rows.index);
    int64_t n = 0;
    rows.each(run,
              [&](int64_t t, int64_t b, bool real) { index[rows.row(t, b)] = real ? n++ : -1; });
    kernels::GatherRows gather = args;
    gather.table = run(p.at);
    gather.index = index;
    gather.y = run(y.at);
    kernels::gather_rows(gather);
  });
  if (y.at != e.out().at) emit_copy(e, y, e.out());
}

void lower_length_order(Emit& e) {
  const Tensor lengths = e.in(0), order = e.out(0), places = e.out(1);
  e.kernel("length_order", 0, [=](const Run& run) {
    const int32_t* length = run.at<int32_t>(lengths.at);
    int32_t *to = run.at<int32_t>(order.at), *inverse = run.at<int32_t>(places.at);
    std::iota(to, to + order.dim(0), 0);
    // Equal lengths by number: what std::stable_sort does, which allocates.
    std::sort(to, to + order.dim(0), [&](int32_t a, int32_t b) {
      return length[a] != length[b] ? length[a] > length[b] : a < b;
    });
    for (int32_t i = 0; i < order.dim(0); ++i) inverse[to[i]] = i;
  });
}

namespace {

constexpr Lowering kLowerings[] = {
    {.op = &ir::ops::length_order, .lower = lower_length_order},
    {.op = &ir::ops::pack,
     .lower = lower_pack,
     .operands = Layout::any,
     .results = Layout::any,
     .bounded = always},
    {.op = &ir::ops::unpack,
     .lower = lower_unpack,
     .operands = Layout::any,
     .results = Layout::any},
};

}  // namespace

std::span<const Lowering> of_pack() { return kLowerings; }

}  // namespace weft::onednn
