// backends/onednn/kernels/norm.cpp -- layer norm and RMS norm by rows, and their derivatives.
#include "backends/onednn/kernels/norm.h"

#include "backends/onednn/kernels/columns.h"
#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

// sum over j of term(j, lanes) with four accumulators; lanes beyond the row must come as 0.
template <class Term>
WEFT_INLINE float sum_row(int64_t n, const Term& term) {
  Vec a = splat(0), b = a, c = a, d = a;
  int64_t j = 0;
  for (; j + 4 * kWidth <= n; j += 4 * kWidth) {
    a += term(j, Full{});
    b += term(j + kWidth, Full{});
    c += term(j + 2 * kWidth, Full{});
    d += term(j + 3 * kWidth, Full{});
  }
  for (; j + kWidth <= n; j += kWidth) a += term(j, Full{});
  if (j < n) b += term(j, Part{n - j});
  return sum((a + b) + (c + d));
}

// 0 in the lanes behind the row, where a difference would not be.
WEFT_INLINE Vec kept(Full, Vec v) { return v; }
WEFT_INLINE Vec kept(Part part, Vec v) { return select(first(part.n), v, splat(0)); }

float row_mean(const float* x, int64_t n) {
  return sum_row(n, [&](int64_t j, auto at) { return at.get(x + j); }) / static_cast<float>(n);
}

float mean_square(const float* x, int64_t n, float mean) {
  const Vec m = splat(mean);
  const float s = sum_row(n, [&](int64_t j, auto at) {
    const Vec c = kept(at, at.get(x + j) - m);
    return c * c;
  });
  return s / static_cast<float>(n);
}

template <bool Scales, bool Shifts, class T>
void normalise(const Norm& args, const float* x, T* y, float mean, float rstd) {
  const Vec m = splat(mean), r = splat(rstd);
  for_columns(args.n, [&](int64_t j, auto at) {
    Vec v = (at.get(x + j) - m) * r;
    if (Scales) v *= at.get(args.scale + j);
    if (Shifts) v += at.get(args.shift + j);
    at.put(y + j, v);
  });
}

template <class T>
void normalise(const Norm& args, const float* x, T* y, float mean, float rstd) {
  if (args.scale != nullptr && args.shift != nullptr)
    normalise<true, true>(args, x, y, mean, rstd);
  else if (args.scale != nullptr)
    normalise<true, false>(args, x, y, mean, rstd);
  else if (args.shift != nullptr)
    normalise<false, true>(args, x, y, mean, rstd);
  else
    normalise<false, false>(args, x, y, mean, rstd);
}

// x is f32 or bf16.
template <class T>
struct Row {
  const float* dy;
  const T* x;
  float mean, rstd;
};

template <bool Scales, class T>
WEFT_INLINE void input_gradient(const NormGrad& args, const Row<T>& row, float* dx) {
  const Vec mean = splat(row.mean), rstd = splat(row.rstd);
  const auto g = [&](int64_t j, auto at) {
    const Vec d = at.get(row.dy + j);
    return Scales ? d * at.get(args.scale + j) : d;
  };
  const auto n = [&](int64_t j, auto at) { return (at.get(row.x + j) - mean) * rstd; };
  const float count = static_cast<float>(args.n);
  const Vec along =
      splat(sum_row(args.n, [&](int64_t j, auto at) { return g(j, at) * n(j, at); }) / count);
  const Vec constant = splat(args.centred ? sum_row(args.n, g) / count : 0.0F);
  for_columns(args.n, [&](int64_t j, auto at) {
    at.put(dx + j, rstd * (g(j, at) - constant - n(j, at) * along));
  });
}

// Adds the row's part of dscale and dshift (either may be null).
template <class T>
WEFT_INLINE void add_vector_gradients(const NormGrad& args, const Row<T>& row, float* dscale,
                                      float* dshift) {
  const Vec mean = splat(row.mean), rstd = splat(row.rstd);
  for_columns(args.n, [&](int64_t j, auto at) {
    const Vec d = at.get(row.dy + j);
    if (dscale != nullptr)
      at.put(dscale + j, fma(d, (at.get(row.x + j) - mean) * rstd, at.get(dscale + j)));
    if (dshift != nullptr) at.put(dshift + j, at.get(dshift + j) + d);
  });
}

}  // namespace

void norm(const Norm& args) {
  const int64_t ld_x = dense_or(args.ld_x, args.n), ld_y = dense_or(args.ld_y, args.n);
  parallel_for(args.rows, 3 * args.n, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float* x = args.x + r * ld_x;
      const float mean = args.centred ? row_mean(x, args.n) : 0.0F;
      const float variance = mean_square(x, args.n, mean);
      const float rstd = 1.0F / __builtin_sqrtf(variance + args.eps);
      if (args.mean != nullptr) args.mean[r] = mean;
      if (args.rstd != nullptr) args.rstd[r] = rstd;
      if (args.low != nullptr)
        normalise(args, x, args.low + r * ld_y, mean, rstd);
      else
        normalise(args, x, args.y + r * ld_y, mean, rstd);
    }
  });
}

namespace {

template <class T>
void norm_grad_of(const NormGrad& args, const T* x) {
  const int64_t n = args.n, chunks = ceil_div(args.rows, kNormChunk);
  const int64_t ld_dy = dense_or(args.ld_dy, n), ld_x = dense_or(args.ld_x, n),
                ld_dx = dense_or(args.ld_dx, n);
  const bool vectors = args.dscale != nullptr || args.dshift != nullptr;
  parallel(args.rows * n * 6, [&](int64_t thread, int64_t threads) {
    const Range mine = share(chunks, thread, threads);
    for (int64_t chunk = mine.begin; chunk < mine.end; ++chunk) {
      float* dscale = args.dscale == nullptr ? nullptr : args.workspace + 2 * chunk * n;
      float* dshift = args.dshift == nullptr ? nullptr : args.workspace + (2 * chunk + 1) * n;
      for (float* partial : {dscale, dshift})
        for (int64_t j = 0; partial != nullptr && j < n; ++j) partial[j] = 0;
      const int64_t end = smaller(args.rows, (chunk + 1) * kNormChunk);
      for (int64_t r = chunk * kNormChunk; r < end; ++r) {
        const Row<T> row{args.dy + r * ld_dy, x + r * ld_x, args.centred ? args.mean[r] : 0.0F,
                         args.rstd[r]};
        if (vectors) add_vector_gradients(args, row, dscale, dshift);
        if (args.dx == nullptr) continue;
        if (args.scale != nullptr)
          input_gradient<true>(args, row, args.dx + r * ld_dx);
        else
          input_gradient<false>(args, row, args.dx + r * ld_dx);
      }
    }
    if (!vectors) return;
    wait_for_team(threads);
    const Range columns = share(n, thread, threads);
    for (const int64_t which : {0, 1}) {
      float* total = which == 0 ? args.dscale : args.dshift;
      if (total == nullptr) continue;
      for (int64_t j = columns.begin; j < columns.end; ++j) total[j] = 0;
      for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const float* partial = args.workspace + (2 * chunk + which) * n;
#pragma omp simd
        for (int64_t j = columns.begin; j < columns.end; ++j) total[j] += partial[j];
      }
    }
  });
}

}  // namespace

void norm_grad(const NormGrad& args) {
  args.low != nullptr ? norm_grad_of(args, args.low) : norm_grad_of(args, args.x);
}

}  // namespace weft::onednn::kernels::WEFT_ISA
