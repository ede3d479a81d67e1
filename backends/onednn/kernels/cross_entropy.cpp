// backends/onednn/kernels/cross_entropy.cpp -- log-softmax, label-smoothed loss, and their
// gradient.
#include "backends/onednn/kernels/cross_entropy.h"

#include "backends/onednn/kernels/columns.h"
#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/math.h"
#include "backends/onednn/kernels/parallel.h"

#include <math.h>

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

// Scores are f32 or bf16.
template <class T>
float top_of(const T* x, int64_t n) {
  Vec a = -infinity(), b = a;
  int64_t j = 0;
  for (; j + 2 * kWidth <= n; j += 2 * kWidth) {
    a = maximum(Full::get(x + j), a), b = maximum(Full::get(x + j + kWidth), b);
  }
  for (; j + kWidth <= n; j += kWidth) a = maximum(Full::get(x + j), a);
  if (j < n) a = maximum(select(first(n - j), Part{n - j}.get(x + j), -infinity()), a);
  return largest(maximum(a, b));
}

struct Sums {
  float exp, low;  // of exp(x - top) and of x - top
};

// The terms of the first sum go to e unless it is null; the second is wanted for smoothing only.
template <bool Stores, class T>
Sums sums_of(const T* x, float* e, int64_t n, float top) {
  const Vec shift = splat(top);
  Vec s = splat(0), t = s, u = s, v = s;
  int64_t j = 0;
  for (; j + 2 * kWidth <= n; j += 2 * kWidth) {
    const Vec low = Full::get(x + j) - shift, next = Full::get(x + j + kWidth) - shift;
    const Vec a = exp_negative(low), b = exp_negative(next);
    if (Stores) store(e + j, a), store(e + j + kWidth, b);
    s += a, t += b;
    u += low, v += next;
  }
  for (; j < n; j += kWidth) {
    const int64_t lanes = smaller(kWidth, n - j);
    const Bits there = first(lanes);
    const Vec low = Part{lanes}.get(x + j) - shift;
    const Vec a = select(there, exp_negative(low), splat(0));
    if (Stores) store(e + j, a, lanes);
    s += a;
    u += select(there, low, splat(0));
  }
  return {sum(s + t), sum(u + v)};
}

struct Row {
  int64_t index, label;  // label: -1 where an unknown one is skipped
  float weight;          // 0: nothing of the row is read
  const float* x;
  float* dx;
  uint16_t* low;
};

class Pass {
 public:
  explicit Pass(const CrossEntropy& args)
      : args_(args),
        ld_x_(dense_or(args.ld_logits, args.classes)),
        ld_dx_(dense_or(args.ld_dlogits, args.classes)) {}

  // Calls visit(row, thread) for all rows; returns the first whose label is out of range, or -1.
  template <class Visit>
  int64_t run(int64_t cost, const Visit& visit) const {
    int64_t bad = INT64_MAX;
    parallel(args_.rows * args_.classes * cost, [&](int64_t thread, int64_t threads) {
      const Range mine = share(args_.rows, thread, threads);
      int64_t first_bad = INT64_MAX;
      for (int64_t r = mine.begin; r < mine.end; ++r) visit(row(r, first_bad), thread);
      if (first_bad == INT64_MAX) return;
#pragma omp critical(weft_cross_entropy)
      bad = smaller(bad, first_bad);
    });
    return bad == INT64_MAX ? -1 : bad;
  }

 private:
  Row row(int64_t r, int64_t& first_bad) const {
    Row row{r,
            0,
            args_.weight == nullptr ? 1.0F : args_.weight[r],
            args_.logits == nullptr ? nullptr : args_.logits + r * ld_x_,
            args_.dlogits == nullptr ? nullptr : args_.dlogits + r * ld_dx_,
            args_.low == nullptr ? nullptr : args_.low + r * args_.ld_low};
    if (row.weight == 0) return row;
    row.label = args_.label_dtype == DType::s64 ? static_cast<const int64_t*>(args_.labels)[r]
                                                : static_cast<const int32_t*>(args_.labels)[r];
    if (row.label >= 0 && row.label < args_.classes) return row;
    row.label = -1;
    if (args_.skip_unknown) return row;
    first_bad = smaller(first_bad, r);
    row.weight = 0;
    return row;
  }

  const CrossEntropy& args_;
  int64_t ld_x_, ld_dx_;
};

constexpr float kNothing = -__builtin_inff();  // the maximum of a row that is -inf throughout

// log p = x - top - log(sum), one after the other: in their sum the logarithm would be lost to a
// large maximum. Of a row of -inf the loss is infinite.
float loss_of(const CrossEntropy& args, const Row& row, float x_label, float top,
              const Sums& sums) {
  const bool empty = top == kNothing;
  const float rest = empty ? 0 : logf(sums.exp);
  const float nll = row.label < 0 ? 0 : empty ? -kNothing : rest - (x_label - top);
  if (args.smoothing == 0) return row.weight * nll;
  const float uniform = empty ? -kNothing : rest - sums.low / static_cast<float>(args.classes);
  return row.weight * ((1 - args.smoothing) * nll + args.smoothing * uniform);
}

float log_sum(float top, const Sums& sums) { return top == kNothing ? top : top + logf(sums.exp); }

void write(float* to, int64_t row, float value) {
  if (to != nullptr) to[row] = value;
}

WEFT_INLINE float upstream(const CrossEntropy& args, const Row& row) {
  const float d = args.drow == nullptr ? 1.0F : args.drow[row.index * args.drow_stride];
  return d * row.weight;
}

// dx = d*(p - (1-eps)*[label] - eps/V), p = scale*e; of a label that is skipped the part of the
// uniform distribution alone, eps*(p - 1/V).
// `to`: of f32 the label's part is taken off what is there, of bf16 before that is rounded.
template <class T, class Power>
WEFT_INLINE void finish_gradient(const CrossEntropy& args, const Row& row, float scale,
                                 const Power& e, T* to) {
  const float d = upstream(args, row), known = row.label < 0 ? args.smoothing : 1.0F;
  const Vec factor = splat(d * known * scale);
  // Without smoothing nothing, not 0 times an infinite d.
  const Vec floor =
      splat(args.smoothing == 0 ? 0 : d * args.smoothing / static_cast<float>(args.classes));
  for_columns(args.classes, [&](int64_t j, auto at) { at.put(to + j, e(j, at) * factor - floor); });
  if (row.label < 0) return;
  const float off = d * (1 - args.smoothing);
  if constexpr (sizeof(T) == sizeof(float)) {
    to[row.label] -= off;
  } else {
    const Part one{1};
    one.put(to + row.label, e(row.label, one) * factor - floor - splat(off));
  }
}

template <class T>
void clear(const CrossEntropy& args, T* dx) {
  for_columns(args.classes, [&](int64_t j, auto at) { at.put(dx + j, splat(0)); });
}

// The exponentials go to e, which may be x.
template <class T>
WEFT_INLINE void fused_row(const CrossEntropy& args, const Row& row, const T* x, float* e, T* dx) {
  if (row.weight == 0) {
    write(args.loss, row.index, 0);
    write(args.lse, row.index, 0);
    return clear(args, dx);
  }
  const float x_label = row.label < 0 ? 0 : Part{1}.get(x + row.label)[0];
  const float top = top_of(x, args.classes);
  const Sums sums = sums_of<true>(x, e, args.classes, top);
  write(args.lse, row.index, log_sum(top, sums));
  write(args.loss, row.index, loss_of(args, row, x_label, top, sums));
  if (top == kNothing) return clear(args, dx);
  finish_gradient(
      args, row, 1 / sums.exp, [&](int64_t j, auto at) { return at.get(e + j); }, dx);
}

}  // namespace

int64_t cross_entropy(const CrossEntropy& args) {
  return Pass(args).run(4, [&](const Row& row, int64_t) {
    if (row.weight == 0) return write(args.loss, row.index, 0), write(args.lse, row.index, 0);
    const float top = top_of(row.x, args.classes);
    const Sums sums = sums_of<false>(row.x, nullptr, args.classes, top);
    write(args.lse, row.index, log_sum(top, sums));
    write(args.loss, row.index,
          loss_of(args, row, row.label < 0 ? 0 : row.x[row.label], top, sums));
  });
}

int64_t cross_entropy_grad(const CrossEntropy& args) {
  // A larger one has lost some of the sum's logarithm to rounding: the row is summed up again.
  constexpr float kExact = 64;
  return Pass(args).run(4, [&](const Row& row, int64_t) {
    float shift = row.weight == 0 ? kNothing : args.lse[row.index], scale = 1;
    if (shift == kNothing) return clear(args, row.dx);
    if (!(__builtin_fabsf(shift) <= kExact)) {
      shift = top_of(row.x, args.classes);
      scale = 1 / sums_of<false>(row.x, nullptr, args.classes, shift).exp;
    }
    const Vec low = splat(shift);
    finish_gradient(
        args, row, scale, [&](int64_t j, auto at) { return exp(at.get(row.x + j) - low); }, row.dx);
  });
}

int64_t cross_entropy_fused(const CrossEntropy& args) {
  return Pass(args).run(6, [&](const Row& row, int64_t thread) {
    if (row.low != nullptr)
      return fused_row(args, row, row.low, args.workspace + thread * args.classes, row.low);
    fused_row(args, row, row.x, row.dx, row.dx);  // dx may be x
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
