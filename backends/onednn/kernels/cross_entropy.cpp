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

struct Top {
  float max, sum;  // sum is wanted for smoothing only
};

Top top_of(const float* x, int64_t n) {
  Vec a = -infinity(), b = a, s = splat(0), t = s;
  int64_t j = 0;
  for (; j + 2 * kWidth <= n; j += 2 * kWidth) {
    const Vec u = load(x + j), v = load(x + j + kWidth);
    a = maximum(u, a), b = maximum(v, b);
    s += u, t += v;
  }
  for (; j + kWidth <= n; j += kWidth) a = maximum(load(x + j), a), s += load(x + j);
  if (j < n) {
    const Vec u = load(x + j, n - j);
    a = maximum(select(first(n - j), u, -infinity()), a);
    s += u;
  }
  return {largest(maximum(a, b)), sum(s + t)};
}

// sum exp(x - top); the terms go to e unless it is null.
template <bool Stores>
float exp_sum(const float* x, float* e, int64_t n, float top) {
  const Vec shift = splat(top);
  Vec s = splat(0), t = s;
  int64_t j = 0;
  for (; j + 2 * kWidth <= n; j += 2 * kWidth) {
    const Vec u = exp_negative(load(x + j) - shift), v = exp_negative(load(x + j + kWidth) - shift);
    if (Stores) store(e + j, u), store(e + j + kWidth, v);
    s += u, t += v;
  }
  for (; j < n; j += kWidth) {
    const int64_t lanes = smaller(kWidth, n - j);
    const Vec x_j = select(first(lanes), load(x + j, lanes), -infinity());
    const Vec u = exp_negative(x_j - shift);
    if (Stores) store(e + j, u, lanes);
    s += u;
  }
  return sum(s + t);
}

struct Row {
  int64_t index, label;
  float weight;  // 0: nothing of the row is read
  const float* x;
  float* dx;
};

class Pass {
 public:
  explicit Pass(const CrossEntropy& args)
      : args_(args),
        ld_x_(dense_or(args.ld_logits, args.classes)),
        ld_dx_(dense_or(args.ld_dlogits, args.classes)) {}

  // Calls visit(row) for all rows; returns the first whose label is out of range, or -1.
  template <class Visit>
  int64_t run(int64_t cost, const Visit& visit) const {
    int64_t bad = INT64_MAX;
    parallel(args_.rows * args_.classes * cost, [&](int64_t thread, int64_t threads) {
      const Range mine = share(args_.rows, thread, threads);
      int64_t first_bad = INT64_MAX;
      for (int64_t r = mine.begin; r < mine.end; ++r) visit(row(r, first_bad));
      if (first_bad == INT64_MAX) return;
#pragma omp critical(weft_cross_entropy)
      bad = smaller(bad, first_bad);
    });
    return bad == INT64_MAX ? -1 : bad;
  }

 private:
  Row row(int64_t r, int64_t& first_bad) const {
    Row row{r, 0, args_.weight == nullptr ? 1.0F : args_.weight[r], args_.logits + r * ld_x_,
            args_.dlogits == nullptr ? nullptr : args_.dlogits + r * ld_dx_};
    if (row.weight == 0) return row;
    row.label = args_.label_dtype == DType::s64 ? static_cast<const int64_t*>(args_.labels)[r]
                                                : static_cast<const int32_t*>(args_.labels)[r];
    if (row.label >= 0 && row.label < args_.classes) return row;
    first_bad = smaller(first_bad, r);
    row.weight = 0;
    return row;
  }

  const CrossEntropy& args_;
  int64_t ld_x_, ld_dx_;
};

float loss_of(const CrossEntropy& args, const Row& row, float x_label, float lse, float sum) {
  const float nll = lse - x_label;
  if (args.smoothing == 0) return row.weight * nll;
  const float uniform = lse - sum / static_cast<float>(args.classes);
  return row.weight * ((1 - args.smoothing) * nll + args.smoothing * uniform);
}

void write(float* to, int64_t row, float value) {
  if (to != nullptr) to[row] = value;
}

WEFT_INLINE float upstream(const CrossEntropy& args, const Row& row) {
  const float d = args.drow == nullptr ? 1.0F : args.drow[row.index * args.drow_stride];
  return d * row.weight;
}

// dx = d*(p - (1-eps)*[label] - eps/V), p = scale*e with e already in dx.
void finish_gradient(const CrossEntropy& args, const Row& row, float scale) {
  const float d = upstream(args, row);
  const Vec factor = splat(d * scale);
  const Vec floor = splat(d * args.smoothing / static_cast<float>(args.classes));
  for_columns(args.classes,
              [&](int64_t j, auto at) { at.put(row.dx + j, at.get(row.dx + j) * factor - floor); });
  row.dx[row.label] -= d * (1 - args.smoothing);
}

void clear(const CrossEntropy& args, const Row& row) {
  for_columns(args.classes, [&](int64_t j, auto at) { at.put(row.dx + j, splat(0)); });
}

}  // namespace

int64_t cross_entropy(const CrossEntropy& args) {
  return Pass(args).run(4, [&](const Row& row) {
    if (row.weight == 0) return write(args.loss, row.index, 0), write(args.lse, row.index, 0);
    const Top top = top_of(row.x, args.classes);
    const float lse = top.max + logf(exp_sum<false>(row.x, nullptr, args.classes, top.max));
    write(args.lse, row.index, lse);
    write(args.loss, row.index, loss_of(args, row, row.x[row.label], lse, top.sum));
  });
}

int64_t cross_entropy_grad(const CrossEntropy& args) {
  return Pass(args).run(4, [&](const Row& row) {
    if (row.weight == 0) return clear(args, row);
    const float d = upstream(args, row);
    const Vec lse = splat(args.lse[row.index]), factor = splat(d);
    const Vec floor = splat(d * args.smoothing / static_cast<float>(args.classes));
    for_columns(args.classes, [&](int64_t j, auto at) {
      at.put(row.dx + j, exp(at.get(row.x + j) - lse) * factor - floor);
    });
    row.dx[row.label] -= d * (1 - args.smoothing);
  });
}

int64_t cross_entropy_fused(const CrossEntropy& args) {
  return Pass(args).run(6, [&](const Row& row) {
    if (row.weight == 0) {
      write(args.loss, row.index, 0);
      write(args.lse, row.index, 0);
      return clear(args, row);
    }
    const float x_label = row.x[row.label];  // dx may be x
    const Top top = top_of(row.x, args.classes);
    const float sum = exp_sum<true>(row.x, row.dx, args.classes, top.max);
    const float lse = top.max + logf(sum);
    write(args.lse, row.index, lse);
    write(args.loss, row.index, loss_of(args, row, x_label, lse, top.sum));
    finish_gradient(args, row, 1 / sum);
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
