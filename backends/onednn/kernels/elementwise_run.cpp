// backends/onednn/kernels/elementwise_run.cpp -- the loops around the inner loops: rows, blocks,
// gathers.
#include "backends/onednn/kernels/elementwise_ops.h"
#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

inline constexpr int kMaxOperands = 200;

template <class T>
WEFT_INLINE void move_strided(int64_t n, T* y, int64_t y_stride, const T* x, int64_t x_stride) {
  for (int64_t i = 0; i < n; ++i) y[i * y_stride] = x[i * x_stride];
}

// n elements between scratch (contiguous) and an operand whose row starts at `data`.
void transfer_row(int64_t n, int64_t width, char* y, int64_t y_stride, const char* x,
                  int64_t x_stride) {
  if (width == 4) return move_strided(n, (uint32_t*)y, y_stride, (const uint32_t*)x, x_stride);
  if (width == 8) return move_strided(n, (uint64_t*)y, y_stride, (const uint64_t*)x, x_stride);
  if (width == 2) return move_strided(n, (uint16_t*)y, y_stride, (const uint16_t*)x, x_stride);
  move_strided(n, y, y_stride, x, x_stride);
}

// One thread's walk over its blocks.
class Walk {
 public:
  Walk(const ElementwiseRun& run, char* scratch) : run_(run), plan_(*run.plan), scratch_(scratch) {
    int n = 0;
    for (const Step& step : plan_.steps) loops_[n++] = inner_loop(step.op, step.from, step.to);
  }

  void block(int64_t row, int64_t column, int64_t n) {
    row_ = row;
    column_ = column;
    for (const Transfer& gather : plan_.gathers) copy(gather, n, plan_.inputs.data(), true);
    const InnerLoop* loop = loops_;
    for (const Step& step : plan_.steps)
      (*loop++)(n, (void*)address(step.dst), source(step.a), source(step.b), source(step.c));
    for (const Transfer& scatter : plan_.scatters) copy(scatter, n, plan_.outputs.data(), false);
  }

 private:
  const char* base(const Access& access, const void* data, int64_t column) const {
    int64_t offset = column * access.strides[plan_.rank - 1];
    int64_t row = row_;
    for (int d = plan_.rank - 2; d >= 0; --d) {
      offset += row % plan_.shape[d] * access.strides[d];
      row /= plan_.shape[d];
    }
    return (const char*)data + offset * bytes(access.dtype);
  }

  const char* address(Place place) const {
    switch (place.kind) {
      case Place::input:
        return operand(plan_.inputs[place.index], run_.inputs[place.index], place.repeated);
      case Place::output:
        return operand(plan_.outputs[place.index], run_.outputs[place.index], false);
      case Place::scratch:
        return scratch_ + place.index * plan_.slot_bytes;
      case Place::constant:
        return (const char*)(plan_.constants.data() + place.index);
      default:
        return nullptr;
    }
  }

  const char* operand(const Access& access, const void* data, bool repeated) const {
    if (plan_.flat) return (const char*)data + (repeated ? 0 : column_ * bytes(access.dtype));
    return base(access, data, repeated ? 0 : column_);
  }

  Source source(Place place) const { return {address(place), place.repeated}; }

  void copy(Transfer transfer, int64_t n, const Access* accesses, bool gather) {
    const Access& access = accesses[transfer.operand];
    const int64_t width = bytes(access.dtype), last = access.strides[plan_.rank - 1];
    char* slot = scratch_ + transfer.slot * plan_.slot_bytes;
    const void* data = gather ? run_.inputs[transfer.operand] : run_.outputs[transfer.operand];
    if (!plan_.flat) return copy_row(n, width, slot, base(access, data, column_), last, gather);
    const int64_t columns = plan_.shape[plan_.rank - 1];
    int64_t done = 0;
    while (done < n) {
      const int64_t flat = column_ + done, column = flat % columns;
      const int64_t length = smaller(n - done, columns - column);
      row_ = flat / columns;
      copy_row(length, width, slot + done * width, base(access, data, column), last, gather);
      done += length;
    }
  }

  static void copy_row(int64_t n, int64_t width, char* slot, const char* data, int64_t stride,
                       bool gather) {
    if (gather) return transfer_row(n, width, slot, 1, data, stride);
    transfer_row(n, width, (char*)data, stride, slot, 1);
  }

  const ElementwiseRun& run_;
  const ElementwisePlan& plan_;
  char* scratch_;
  int64_t row_ = 0, column_ = 0;
  InnerLoop loops_[kMaxOperands];
};

}  // namespace

void elementwise_run(const ElementwiseRun& run) {
  const ElementwisePlan& plan = *run.plan;
  if (run.rows == 0 || run.columns == 0) return;
  const int64_t blocks = ceil_div(run.columns, plan.block);
  const int64_t work = run.rows * run.columns * plan.cost;
  parallel(work, [&](int64_t thread, int64_t threads) {
    Walk walk(run, run.workspace + thread * plan.slots * plan.slot_bytes);
    const Range mine = share(run.rows * blocks, thread, threads);
    int64_t row = mine.begin / blocks, block = mine.begin % blocks;
    for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
      const int64_t column = block * plan.block;
      walk.block(row, column, smaller(plan.block, run.columns - column));
      if (++block == blocks) block = 0, ++row;
    }
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
