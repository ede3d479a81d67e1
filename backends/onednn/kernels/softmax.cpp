// backends/onednn/kernels/softmax.cpp -- softmax, log-softmax, log-sum-exp, and their derivatives.
#include "backends/onednn/kernels/softmax.h"

#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/mask_row.h"
#include "backends/onednn/kernels/math.h"
#include "backends/onednn/kernels/parallel.h"

#include <math.h>

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

constexpr int64_t kStreamed = int64_t{1} << 24;  // floats: 64 MB

// A full vector or a row's last lanes; the lanes beyond n hold `fill`.
WEFT_INLINE Vec load_or(const float* x, int64_t n, float fill) {
  if (n >= kWidth) return load(x);
  return select(first(n), load(x, n), splat(fill));
}
WEFT_INLINE void store_some(float* y, Vec v, int64_t n) {
  if (n >= kWidth) return store(y, v);
  store(y, v, n);
}

// What the mask hides reads as -inf. `Masked` is a template argument: most rows have no mask.
template <bool Masked>
WEFT_INLINE Vec visible(const float* x, int64_t j, int64_t n, MaskRow mask) {
  const Vec value = load_or(x + j, n - j, -__builtin_inff());
  if (!Masked) return value;
  return select(allowed(mask, j, smaller(kWidth, n - j)), value, -infinity());
}

template <bool Masked>
float row_max(const float* x, int64_t n, MaskRow mask) {
  Vec a = -infinity(), b = a;
  int64_t j = 0;
  for (; j + 2 * kWidth <= n; j += 2 * kWidth) {
    a = maximum(visible<Masked>(x, j, n, mask), a);
    b = maximum(visible<Masked>(x, j + kWidth, n, mask), b);
  }
  for (; j < n; j += kWidth) a = maximum(visible<Masked>(x, j, n, mask), a);
  return largest(maximum(a, b));
}

// sum exp(x - top), and the terms themselves into y unless it is null.
template <bool Masked, bool Stores>
float row_exp(const float* x, float* y, int64_t n, float top, MaskRow mask) {
  const Vec shift = splat(top);
  Vec a = splat(0), b = splat(0);
  int64_t j = 0;
  for (; j + 2 * kWidth <= n; j += 2 * kWidth) {
    const Vec u = exp_negative(visible<Masked>(x, j, n, mask) - shift);
    const Vec v = exp_negative(visible<Masked>(x, j + kWidth, n, mask) - shift);
    if (Stores) store(y + j, u), store(y + j + kWidth, v);
    a += u;
    b += v;
  }
  for (; j < n; j += kWidth) {
    const Vec u = exp_negative(visible<Masked>(x, j, n, mask) - shift);
    if (Stores) store_some(y + j, u, n - j);
    a += u;
  }
  return sum(a + b);
}

void row_fill(float* y, int64_t n, float value) {
  for (int64_t j = 0; j < n; j += kWidth) store_some(y + j, splat(value), n - j);
}

template <bool Masked>
void softmax_row(const float* x, float* y, int64_t n, bool log, MaskRow mask) {
  const float top = row_max<Masked>(x, n, mask);
  if (top == -__builtin_inff()) return row_fill(y, n, log ? top : 0);
  if (log) {
    // One after the other: in their sum the logarithm would be lost to a large maximum.
    const Vec shift = splat(top),
              rest = splat(logf(row_exp<Masked, false>(x, nullptr, n, top, mask)));
    for (int64_t j = 0; j < n; j += kWidth)
      store_some(y + j, visible<Masked>(x, j, n, mask) - shift - rest, n - j);
    return;
  }
  const Vec scale = splat(1.0F / row_exp<Masked, true>(x, y, n, top, mask));
  for (int64_t j = 0; j < n; j += kWidth)
    store_some(y + j, load_or(y + j, n - j, 0) * scale, n - j);
}

// The middle axis of [rows, n, inner], a vector of inner elements at a time.
void softmax_columns(const float* x, float* y, int64_t n, int64_t inner, bool log) {
  for (int64_t c = 0; c < inner; c += kWidth) {
    const int64_t lanes = inner - c;
    Vec top = -infinity();
    for (int64_t j = 0; j < n; ++j) top = maximum(load_or(x + j * inner + c, lanes, 0), top);
    const Bits empty = equal(top, -infinity());
    const Vec shift = select(empty, splat(0), top);
    Vec total = splat(0);
    for (int64_t j = 0; j < n; ++j) {
      const Vec e = exp_negative(load_or(x + j * inner + c, lanes, 0) - shift);
      total += e;
      if (!log) store_some(y + j * inner + c, e, lanes);
    }
    const Vec rest = kernels::WEFT_ISA::log(total), scale = splat(1.0F) / total;
    const Vec of_empty = log ? -infinity() : splat(0);
    for (int64_t j = 0; j < n; ++j) {
      const int64_t at = j * inner + c;
      const Vec value =
          log ? load_or(x + at, lanes, 0) - shift - rest : load_or(y + at, lanes, 0) * scale;
      store_some(y + at, select(empty, of_empty, value), lanes);
    }
  }
}

float dot(const float* a, const float* b, int64_t n) {
  Vec s = splat(0), t = splat(0);
  int64_t j = 0;
  for (; j + 2 * kWidth <= n; j += 2 * kWidth) {
    s = fma(load(a + j), load(b + j), s);
    t = fma(load(a + j + kWidth), load(b + j + kWidth), t);
  }
  for (; j < n; j += kWidth) s = fma(load_or(a + j, n - j, 0), load_or(b + j, n - j, 0), s);
  return sum(s + t);
}

float total(const float* x, int64_t n) {
  Vec s = splat(0);
  for (int64_t j = 0; j < n; j += kWidth) s += load_or(x + j, n - j, 0);
  return sum(s);
}

bool all_hidden(const float* y, int64_t n) {
  for (int64_t j = 0; j < n; ++j)
    if (y[j] != -__builtin_inff()) return false;
  return true;
}

void grad_row(const float* y, const float* dy, float* dx, int64_t n, bool log, bool streams) {
  if (log && all_hidden(y, n)) return row_fill(dx, n, 0);
  const Vec s = splat(log ? total(dy, n) : dot(y, dy, n));
  const auto slope = [&](int64_t j) {
    const Vec a = load_or(y + j, n - j, 0), d = load_or(dy + j, n - j, 0);
    return log ? fnma(exp(a), s, d) : a * (d - s);
  };
  int64_t j = 0;
  if (streams && reinterpret_cast<uintptr_t>(dx) % sizeof(Vec) == 0)
    for (; j + kWidth <= n; j += kWidth) stream(dx + j, slope(j));
  for (; j < n; j += kWidth) store_some(dx + j, slope(j), n - j);
}

void grad_columns(const float* y, const float* dy, float* dx, int64_t n, int64_t inner, bool log) {
  for (int64_t c = 0; c < inner; c += kWidth) {
    const int64_t lanes = inner - c;
    Vec s = splat(0), used = splat(0);
    const Vec of_empty = log ? -infinity() : splat(0);
    for (int64_t j = 0; j < n; ++j) {
      const Vec a = load_or(y + j * inner + c, lanes, 0), d = load_or(dy + j * inner + c, lanes, 0);
      s = log ? s + d : fma(a, d, s);
      used = select(equal(a, of_empty), used, splat(1));
    }
    const Bits empty = equal(used, splat(0));
    for (int64_t j = 0; j < n; ++j) {
      const int64_t at = j * inner + c;
      const Vec a = load_or(y + at, lanes, 0), d = load_or(dy + at, lanes, 0);
      const Vec value = log ? fnma(exp(a), s, d) : a * (d - s);
      store_some(dx + at, select(empty, splat(0), value), lanes);
    }
  }
}

}  // namespace

void softmax(const Softmax& args) {
  const int64_t n = args.n, rows = args.batch * args.heads * args.rows;
  const int64_t ld_x = dense_or(args.ld_x, n * args.inner);
  const int64_t ld_y = dense_or(args.ld_y, n * args.inner);
  if (n == 0) return;
  parallel_for(rows, n * args.inner * 4, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float* x = args.x + r * ld_x;
      float* y = args.y + r * ld_y;
      if (args.inner > 1) {
        softmax_columns(x, y, n, args.inner, args.log);
      } else if (args.mask.allowed == nullptr) {
        softmax_row<false>(x, y, n, args.log, {});
      } else {
        const int64_t t = r % args.rows, h = r / args.rows % args.heads,
                      b = r / args.rows / args.heads;
        softmax_row<true>(x, y, n, args.log, mask_row(args.mask, b, h, t));
      }
    }
  });
}

void softmax_grad(const SoftmaxGrad& args) {
  const int64_t n = args.n, dense = n * args.inner;
  const int64_t ld_y = dense_or(args.ld_y, dense), ld_dy = dense_or(args.ld_dy, dense);
  const int64_t ld_dx = dense_or(args.ld_dx, dense);
  // Larger than the caches: it would be read from memory first, only to be written over.
  const bool streams = args.rows * dense >= kStreamed && args.dx != args.y && args.dx != args.dy;
  parallel_for(args.rows, dense * (args.log ? 4 : 2), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float *y = args.y + r * ld_y, *dy = args.dy + r * ld_dy;
      float* dx = args.dx + r * ld_dx;
      if (args.inner > 1) {
        grad_columns(y, dy, dx, n, args.inner, args.log);
      } else {
        grad_row(y, dy, dx, n, args.log, streams);
      }
    }
    if (streams) finish_streams();
  });
}

void log_sum_exp(const LogSumExp& args) {
  const int64_t n = args.n, ld_x = dense_or(args.ld_x, n);
  parallel_for(args.rows, n * 4, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float* x = args.x + r * ld_x;
      const float top = row_max<false>(x, n, {});
      const bool flat = top == __builtin_inff() || top == -__builtin_inff();
      args.y[r] = flat ? top : top + logf(row_exp<false, false>(x, nullptr, n, top, {}));
    }
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
