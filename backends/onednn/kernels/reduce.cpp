// backends/onednn/kernels/reduce.cpp -- sums and their kin over one axis of [outer, n, inner].
#include "backends/onednn/kernels/reduce.h"

#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"
#include "backends/onednn/kernels/reduce_chunks.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

inline constexpr int64_t kStrip = 64;  // columns that one unit of work reduces at a time

template <class T>
struct Limits;
template <>
struct Limits<float> {
  static constexpr float lowest = -__builtin_inff(), highest = __builtin_inff(),
                         empty_mean = __builtin_nanf("");
};
template <>
struct Limits<int32_t> {
  static constexpr int32_t lowest = INT32_MIN, highest = INT32_MAX, empty_mean = 0;
};
template <>
struct Limits<int64_t> {
  static constexpr int64_t lowest = INT64_MIN, highest = INT64_MAX, empty_mean = 0;
};

// Each reduction: its neutral element and one step. Integers wrap.
template <class T>
struct Sum {
  static constexpr T neutral = 0;
  WEFT_INLINE T step(T a, T b) { return (T)((uint64_t)a + (uint64_t)b); }
};
template <>
struct Sum<float> {
  static constexpr float neutral = 0;
  WEFT_INLINE float step(float a, float b) { return a + b; }
};
template <class T>
struct Prod {
  static constexpr T neutral = 1;
  WEFT_INLINE T step(T a, T b) { return (T)((uint64_t)a * (uint64_t)b); }
};
template <>
struct Prod<float> {
  static constexpr float neutral = 1;
  WEFT_INLINE float step(float a, float b) { return a * b; }
};
template <class T>
struct Max {
  static constexpr T neutral = Limits<T>::lowest;
  WEFT_INLINE T step(T a, T b) { return ((a > b) | (a != a)) ? a : b; }
};
template <class T>
struct Min {
  static constexpr T neutral = Limits<T>::highest;
  WEFT_INLINE T step(T a, T b) { return ((a < b) | (a != a)) ? a : b; }
};

// An element that is summed up as f32.
struct Half {
  uint16_t bits;
  operator float() const {
    const uint32_t word = (uint32_t)bits << 16;
    float x;
    __builtin_memcpy(&x, &word, sizeof x);
    return x;
  }
};

// The lanes are fixed, so the result is the same for every instruction set.
template <class T, class Op, class In>
T reduce_row(const In* x, int64_t n) {
  constexpr int64_t lanes = 32;
  T lane[lanes];
  for (int64_t l = 0; l < lanes; ++l) lane[l] = Op::neutral;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
#pragma omp simd
    for (int64_t l = 0; l < lanes; ++l) lane[l] = Op::step(lane[l], x[i + l]);
  }
  for (int64_t l = 0; i + l < n; ++l) lane[l] = Op::step(lane[l], x[i + l]);
  for (int64_t width = lanes / 2; width > 0; width /= 2)
    for (int64_t l = 0; l < width; ++l) lane[l] = Op::step(lane[l], lane[l + width]);
  return lane[0];
}

// y[r] = reduce_row of x[r*n..r*n+n), the same bits, for rows too short to fill its lanes.
inline constexpr int64_t kShortRow = 8;

template <int n, class T, class Op, class In>
void reduce_rows_of(const In* x, int64_t rows, T* y) {
#pragma omp simd
  for (int64_t r = 0; r < rows; ++r) {
    T lane[n];
    for (int l = 0; l < n; ++l) lane[l] = Op::step(Op::neutral, x[r * n + l]);
    for (int width = kShortRow / 2; width > 0; width /= 2)
      for (int l = 0; l < width && l + width < n; ++l) lane[l] = Op::step(lane[l], lane[l + width]);
    y[r] = lane[0];
  }
}

template <class T, class Op, class In>
void reduce_short_rows(const In* x, int64_t n, int64_t rows, T* y) {
  switch (n) {
    case 2:
      return reduce_rows_of<2, T, Op>(x, rows, y);
    case 3:
      return reduce_rows_of<3, T, Op>(x, rows, y);
    case 4:
      return reduce_rows_of<4, T, Op>(x, rows, y);
    case 5:
      return reduce_rows_of<5, T, Op>(x, rows, y);
    case 6:
      return reduce_rows_of<6, T, Op>(x, rows, y);
    case 7:
      return reduce_rows_of<7, T, Op>(x, rows, y);
    default:
      return reduce_rows_of<8, T, Op>(x, rows, y);
  }
}

// y[0..columns) = reduction of n rows of x.
template <class T, class Op, class In>
void reduce_columns(const In* x, int64_t x_n, int64_t n, int64_t columns, T* y) {
  T lane[kStrip];
  if (columns == kStrip) {
    for (int64_t c = 0; c < kStrip; ++c) lane[c] = Op::neutral;
    for (int64_t j = 0; j < n; ++j, x += x_n) {
#pragma omp simd
      for (int64_t c = 0; c < kStrip; ++c) lane[c] = Op::step(lane[c], x[c]);
    }
    for (int64_t c = 0; c < kStrip; ++c) y[c] = lane[c];
    return;
  }
  for (int64_t c = 0; c < columns; ++c) y[c] = Op::neutral;
  for (int64_t j = 0; j < n; ++j, x += x_n) {
#pragma omp simd
    for (int64_t c = 0; c < columns; ++c) y[c] = Op::step(y[c], x[c]);
  }
}

// A strided axis with a contiguous element: inner is 1 but x_n is not.
template <class T, class Op, class In>
T reduce_strided(const In* x, int64_t x_n, int64_t n) {
  T y = Op::neutral;
  for (int64_t j = 0; j < n; ++j) y = Op::step(y, x[j * x_n]);
  return y;
}

// The chunks' results in order. Sums of floats are added up in double: of millions of terms there are
// tens of thousands of chunks.
template <class T, class Op>
T combined(const T* x, int64_t x_n, int64_t n) {
  return reduce_strided<T, Op, T>(x, x_n, n);
}
template <>
float combined<float, Sum<float>>(const float* x, int64_t x_n, int64_t n) {
  double total = 0;
  for (int64_t j = 0; j < n; ++j) total += (double)x[j * x_n];
  return (float)total;
}

template <class T>
WEFT_INLINE T finish(const Reduce& args, T value, T before) {
  if (args.kind == Reduction::mean) {
    value = args.n == 0 ? Limits<T>::empty_mean : value / (T)args.n;
  }
  const bool adds = args.kind == Reduction::sum || args.kind == Reduction::mean;
  return args.accumulate && adds ? value + before : value;
}

template <class T, class Op, class In = T>
void reduce_as(const Reduce& args) {
  const int64_t n = args.n, inner = args.inner;
  const int64_t x_n = dense_or(args.x_n, inner), x_outer = dense_or(args.x_outer, n * inner);
  const int64_t y_outer = dense_or(args.y_outer, inner);
  const auto* x = static_cast<const In*>(args.x);
  auto* y = static_cast<T*>(args.y);
  const int64_t chunk = reduce_chunk(inner), chunks = larger(1, reduce_chunks(n, inner));
  const int64_t strips = ceil_div(inner, kStrip);
  auto* partial = static_cast<T*>(args.workspace);

  const auto piece = [&](int64_t o, int64_t k, int64_t strip, T* to) {
    const int64_t column = strip * kStrip, columns = smaller(kStrip, inner - column);
    const In* from = x + o * x_outer + k * chunk * x_n + column;
    const int64_t length = smaller(chunk, n - k * chunk);
    if (inner > 1) return reduce_columns<T, Op, In>(from, x_n, length, columns, to);
    *to = x_n == 1 ? reduce_row<T, Op, In>(from, length)
                   : reduce_strided<T, Op, In>(from, x_n, length);
  };
  const auto put = [&](int64_t o, int64_t column, T value) {
    T& to = y[o * y_outer + column];
    to = finish<T>(args, value, args.accumulate ? to : T{0});
  };

  if (inner == 1 && x_n == 1 && x_outer == n && n > 1 && n <= kShortRow) {
    parallel_for(args.outer, n, [&](int64_t begin, int64_t end) {
      T result[kStrip];
      for (int64_t o = begin; o < end; o += kStrip) {
        const int64_t rows = smaller(kStrip, end - o);
        reduce_short_rows<T, Op, In>(x + o * n, n, rows, result);
        for (int64_t r = 0; r < rows; ++r) put(o + r, 0, result[r]);
      }
    });
    return;
  }
  parallel(args.outer * n * inner, [&](int64_t thread, int64_t threads) {
    const Range mine = share(args.outer * chunks * strips, thread, threads);
    for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
      const int64_t strip = unit % strips, k = unit / strips % chunks, o = unit / strips / chunks;
      const int64_t column = strip * kStrip, columns = smaller(kStrip, inner - column);
      if (chunks > 1) {
        piece(o, k, strip, partial + (o * chunks + k) * inner + column);
        continue;
      }
      T result[kStrip];
      piece(o, 0, strip, result);
      for (int64_t c = 0; c < columns; ++c) put(o, column + c, result[c]);
    }
    if (chunks == 1) return;
    wait_for_team(threads);
    const Range rest = share(args.outer * inner, thread, threads);
    for (int64_t i = rest.begin; i < rest.end; ++i) {
      const int64_t o = i / inner, column = i % inner;
      put(o, column, combined<T, Op>(partial + o * chunks * inner + column, inner, chunks));
    }
  });
}

template <class T>
void reduce_dtype(const Reduce& args) {
  switch (args.kind) {
    case Reduction::prod:
      return reduce_as<T, Prod<T>>(args);
    case Reduction::max:
      return reduce_as<T, Max<T>>(args);
    case Reduction::min:
      return reduce_as<T, Min<T>>(args);
    default:
      return reduce_as<T, Sum<T>>(args);
  }
}

}  // namespace

void reduce(const Reduce& args) {
  switch (args.dtype) {
    case DType::s32:
      return reduce_dtype<int32_t>(args);
    case DType::s64:
      return reduce_dtype<int64_t>(args);
    case DType::bf16:
      return reduce_as<float, Sum<float>, Half>(args);
    default:
      return reduce_dtype<float>(args);
  }
}

}  // namespace weft::onednn::kernels::WEFT_ISA
