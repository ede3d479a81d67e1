// backends/onednn/kernels/elementwise_ops.cpp -- the inner loop of each opcode, by dtype.
#include "backends/onednn/kernels/elementwise_ops.h"

#include "backends/onednn/kernels/math.h"
#include "backends/onednn/kernels/vec/bf16.h"

#include <math.h>

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

// ---- f32, a vector at a time ----

template <Vec (*F)(Vec)>
void unary(int64_t n, void* dst, Source a, Source, Source) {
  auto* y = static_cast<float*>(dst);
  const auto* x = static_cast<const float*>(a.data);
  int64_t i = 0;
  if (a.repeated) {
    const Vec value = F(splat(*x));
    for (; i + kWidth <= n; i += kWidth) store(y + i, value);
    if (i < n) store(y + i, value, n - i);
    return;
  }
  for (; i + 2 * kWidth <= n; i += 2 * kWidth) {
    const Vec u = F(load(x + i)), v = F(load(x + i + kWidth));
    store(y + i, u);
    store(y + i + kWidth, v);
  }
  for (; i + kWidth <= n; i += kWidth) store(y + i, F(load(x + i)));
  if (i < n) store(y + i, F(load(x + i, n - i)), n - i);
}

template <Vec (*F)(Vec, Vec), bool A, bool B>
void binary_as(int64_t n, float* y, const float* a, const float* b) {
  const Vec a0 = A && n > 0 ? splat(*a) : splat(0), b0 = B && n > 0 ? splat(*b) : splat(0);
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(y + i, F(A ? a0 : load(a + i), B ? b0 : load(b + i)));
  if (i < n) store(y + i, F(A ? a0 : load(a + i, n - i), B ? b0 : load(b + i, n - i)), n - i);
}

template <Vec (*F)(Vec, Vec)>
void binary(int64_t n, void* dst, Source a, Source b, Source) {
  auto* y = static_cast<float*>(dst);
  const auto *p = static_cast<const float*>(a.data), *q = static_cast<const float*>(b.data);
  if (a.repeated && b.repeated) return binary_as<F, true, true>(n, y, p, q);
  if (a.repeated) return binary_as<F, true, false>(n, y, p, q);
  if (b.repeated) return binary_as<F, false, true>(n, y, p, q);
  binary_as<F, false, false>(n, y, p, q);
}

WEFT_INLINE Vec v_neg(Vec x) { return -x; }
WEFT_INLINE Vec v_abs(Vec x) { return abs(x); }
WEFT_INLINE Vec v_sign(Vec x) {
  const Vec one = as_float(as_int(splat(1.0F)) | as_int(sign_bit(x)));
  return select(either(equal(x, splat(0)), is_nan(x)), x, one);
}
WEFT_INLINE Vec v_exp(Vec x) { return exp(x); }
WEFT_INLINE Vec v_expm1(Vec x) { return expm1(x); }
WEFT_INLINE Vec v_log(Vec x) { return log(x); }
WEFT_INLINE Vec v_log1p(Vec x) { return log1p(x); }
WEFT_INLINE Vec v_sqrt(Vec x) { return sqrt(x); }
WEFT_INLINE Vec v_rsqrt(Vec x) { return splat(1) / sqrt(x); }
WEFT_INLINE Vec v_tanh(Vec x) { return tanh(x); }
WEFT_INLINE Vec v_sigmoid(Vec x) { return sigmoid(x); }
// max gives its second operand where both are zeros, and that may be -0.
WEFT_INLINE Vec v_relu(Vec x) { return max(splat(0), x) + splat(0); }
WEFT_INLINE Vec v_gelu(Vec x) { return gelu(x); }
WEFT_INLINE Vec v_gelu_tanh(Vec x) { return gelu_tanh(x); }
WEFT_INLINE Vec v_silu(Vec x) { return silu(x); }
WEFT_INLINE Vec v_softplus(Vec x) { return softplus(x); }
WEFT_INLINE Vec v_erf(Vec x) { return erf(x); }
WEFT_INLINE Vec v_sin(Vec x) { return sin(x); }
WEFT_INLINE Vec v_cos(Vec x) { return cos(x); }
WEFT_INLINE Vec v_floor(Vec x) { return floor(x); }
WEFT_INLINE Vec v_ceil(Vec x) { return ceil(x); }
WEFT_INLINE Vec v_round(Vec x) { return round(x); }
WEFT_INLINE Vec v_reciprocal(Vec x) { return splat(1) / x; }
WEFT_INLINE Vec v_square(Vec x) { return x * x; }
WEFT_INLINE Vec v_add(Vec a, Vec b) { return a + b; }
WEFT_INLINE Vec v_sub(Vec a, Vec b) { return a - b; }
WEFT_INLINE Vec v_mul(Vec a, Vec b) { return a * b; }
WEFT_INLINE Vec v_div(Vec a, Vec b) { return a / b; }
WEFT_INLINE Vec v_maximum(Vec a, Vec b) { return maximum(a, b); }
WEFT_INLINE Vec v_minimum(Vec a, Vec b) { return minimum(a, b); }

// ---- bf16 to f32 and back ----

void widen(int64_t n, void* dst, Source a, Source, Source) {
  auto* y = static_cast<float*>(dst);
  const auto* x = static_cast<const uint16_t*>(a.data);
  int64_t i = 0;
  if (a.repeated) {
    const Vec value = of_bf16(splat_int(n > 0 ? *x : 0));
    for (; i + kWidth <= n; i += kWidth) store(y + i, value);
    if (i < n) store(y + i, value, n - i);
    return;
  }
  for (; i + kWidth <= n; i += kWidth) store(y + i, load_bf16(x + i));
  if (i < n) store(y + i, load_bf16(x + i, n - i), n - i);
}

void narrow(int64_t n, void* dst, Source a, Source, Source) {
  auto* y = static_cast<uint16_t*>(dst);
  const auto* x = static_cast<const float*>(a.data);
  int64_t i = 0;
  if (a.repeated) {
    const Vec value = splat(n > 0 ? *x : 0);
    for (; i + kWidth <= n; i += kWidth) store_bf16(y + i, value);
    if (i < n) store_bf16(y + i, value, n - i);
    return;
  }
  for (; i + kWidth <= n; i += kWidth) store_bf16(y + i, load(x + i));
  if (i < n) store_bf16(y + i, load(x + i, n - i), n - i);
}

// ---- any dtype, one element at a time; the compiler vectorises these ----

template <class T, class R, R (*F)(T)>
void map(int64_t n, void* dst, Source a, Source, Source) {
  auto* y = static_cast<R*>(dst);
  const auto* x = static_cast<const T*>(a.data);
  if (a.repeated) {
    if (n == 0) return;
    const R value = F(*x);
    for (int64_t i = 0; i < n; ++i) y[i] = value;
    return;
  }
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = F(x[i]);
}

template <class T, class R, R (*F)(T, T)>
void zip(int64_t n, void* dst, Source a, Source b, Source) {
  auto* y = static_cast<R*>(dst);
  const auto *p = static_cast<const T*>(a.data), *q = static_cast<const T*>(b.data);
  if (n == 0) return;
  const T p0 = *p, q0 = *q;
  if (a.repeated && b.repeated) {
    const R value = F(p0, q0);
    for (int64_t i = 0; i < n; ++i) y[i] = value;
  } else if (a.repeated) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = F(p0, q[i]);
  } else if (b.repeated) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = F(p[i], q0);
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = F(p[i], q[i]);
  }
}

template <class T>
void choose(int64_t n, void* dst, Source a, Source b, Source c) {
  auto* y = static_cast<T*>(dst);
  const auto* m = static_cast<const uint8_t*>(a.data);
  const auto *p = static_cast<const T*>(b.data), *q = static_cast<const T*>(c.data);
  if (n == 0) return;
  const T p0 = *p, q0 = *q;
  if (!a.repeated && !b.repeated && !c.repeated) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const T u = p[i], v = q[i];
      y[i] = m[i] != 0 ? u : v;
    }
  } else if (!a.repeated && b.repeated && !c.repeated) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const T v = q[i];
      y[i] = m[i] != 0 ? p0 : v;
    }
  } else if (!a.repeated && !b.repeated && c.repeated) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const T u = p[i];
      y[i] = m[i] != 0 ? u : q0;
    }
  } else {
    const uint8_t m0 = *m;
    for (int64_t i = 0; i < n; ++i)
      y[i] = (a.repeated ? m0 : m[i]) != 0 ? (b.repeated ? p0 : p[i]) : (c.repeated ? q0 : q[i]);
  }
}

template <class T>
struct Unsigned;
template <>
struct Unsigned<int32_t> {
  using Type = uint32_t;
};
template <>
struct Unsigned<int64_t> {
  using Type = uint64_t;
};
template <class T>
using U = typename Unsigned<T>::Type;

template <class T>
WEFT_INLINE T same(T x) {
  return x;
}
template <class T>
WEFT_INLINE T i_neg(T x) {
  return (T)(U<T>{0} - (U<T>)x);
}
template <class T>
WEFT_INLINE T i_abs(T x) {
  return x < 0 ? i_neg(x) : x;
}
template <class T>
WEFT_INLINE T i_sign(T x) {
  return (T)((x > 0) - (x < 0));
}
template <class T>
WEFT_INLINE T i_relu(T x) {
  return x > 0 ? x : T{0};
}
template <class T>
WEFT_INLINE T i_add(T a, T b) {
  return (T)((U<T>)a + (U<T>)b);
}
template <class T>
WEFT_INLINE T i_sub(T a, T b) {
  return (T)((U<T>)a - (U<T>)b);
}
template <class T>
WEFT_INLINE T i_mul(T a, T b) {
  return (T)((U<T>)a * (U<T>)b);
}
template <class T>
WEFT_INLINE T i_square(T a) {
  return i_mul(a, a);
}
template <class T>
WEFT_INLINE T i_div(T a, T b) {
  return b == 0 ? T{0} : b == -1 ? i_neg(a) : a / b;
}
template <class T>
WEFT_INLINE T i_remainder(T a, T b) {
  if (b == 0 || b == -1) return 0;
  const T r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
template <class T>
WEFT_INLINE T i_pow(T base, T exponent) {
  if (exponent < 0) return base == 1 ? T{1} : base != -1 ? T{0} : exponent % 2 != 0 ? T{-1} : T{1};
  T y = 1;
  for (; exponent != 0; exponent >>= 1, base = i_mul(base, base))
    if ((exponent & 1) != 0) y = i_mul(y, base);
  return y;
}
template <class T>
WEFT_INLINE T i_maximum(T a, T b) {
  return a > b ? a : b;
}
template <class T>
WEFT_INLINE T i_minimum(T a, T b) {
  return a < b ? a : b;
}

WEFT_INLINE float f_pow(float a, float b) { return b == 2 ? a * a : powf(a, b); }
// fmod is exact; the result takes the divisor's sign.
WEFT_INLINE float f_remainder(float a, float b) {
  const float r = fmodf(a, b);
  if (r == 0) return __builtin_copysignf(0, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

template <class T>
WEFT_INLINE uint8_t is_equal(T a, T b) {
  return a == b;
}
template <class T>
WEFT_INLINE uint8_t is_not_equal(T a, T b) {
  return a != b;
}
template <class T>
WEFT_INLINE uint8_t is_less(T a, T b) {
  return a < b;
}
template <class T>
WEFT_INLINE uint8_t is_less_equal(T a, T b) {
  return a <= b;
}
template <class T>
WEFT_INLINE uint8_t is_greater(T a, T b) {
  return a > b;
}
template <class T>
WEFT_INLINE uint8_t is_greater_equal(T a, T b) {
  return a >= b;
}
WEFT_INLINE uint8_t is_finite(float x) { return x - x == 0; }
WEFT_INLINE uint8_t l_not(uint8_t a) { return a == 0; }
WEFT_INLINE uint8_t l_and(uint8_t a, uint8_t b) { return (a != 0) & (b != 0); }
WEFT_INLINE uint8_t l_or(uint8_t a, uint8_t b) { return (a != 0) | (b != 0); }
WEFT_INLINE uint8_t l_xor(uint8_t a, uint8_t b) { return (a != 0) != (b != 0); }

template <class T, class R>
WEFT_INLINE R convert(T x) {
  return static_cast<R>(x);
}
template <class R>
WEFT_INLINE R saturate(float x) {
  constexpr float limit = sizeof(R) == 4 ? 2147483648.0F : 9223372036854775808.0F;
  constexpr R top = sizeof(R) == 4 ? (R)INT32_MAX : (R)INT64_MAX;
  if (x != x) return 0;
  return x >= limit ? top : x < -limit ? (R)(-top - 1) : (R)x;
}
template <class T>
WEFT_INLINE uint8_t truth(T x) {
  return x != 0;
}

template <class T>
InnerLoop compare_loop(Opcode op) {
  switch (op) {
    case Opcode::equal:
      return zip<T, uint8_t, is_equal<T>>;
    case Opcode::not_equal:
      return zip<T, uint8_t, is_not_equal<T>>;
    case Opcode::less:
      return zip<T, uint8_t, is_less<T>>;
    case Opcode::less_equal:
      return zip<T, uint8_t, is_less_equal<T>>;
    case Opcode::greater:
      return zip<T, uint8_t, is_greater<T>>;
    case Opcode::greater_equal:
      return zip<T, uint8_t, is_greater_equal<T>>;
    case Opcode::select:
      return choose<T>;
    case Opcode::copy:
      return map<T, T, same<T>>;
    default:
      return nullptr;
  }
}

template <class T>
InnerLoop integer_loop(Opcode op) {
  switch (op) {
    case Opcode::neg:
      return map<T, T, i_neg<T>>;
    case Opcode::abs:
      return map<T, T, i_abs<T>>;
    case Opcode::sign:
      return map<T, T, i_sign<T>>;
    case Opcode::relu:
      return map<T, T, i_relu<T>>;
    case Opcode::square:
      return map<T, T, i_square<T>>;
    case Opcode::add:
      return zip<T, T, i_add<T>>;
    case Opcode::sub:
      return zip<T, T, i_sub<T>>;
    case Opcode::mul:
      return zip<T, T, i_mul<T>>;
    case Opcode::div:
      return zip<T, T, i_div<T>>;
    case Opcode::remainder:
      return zip<T, T, i_remainder<T>>;
    case Opcode::pow:
      return zip<T, T, i_pow<T>>;
    case Opcode::maximum:
      return zip<T, T, i_maximum<T>>;
    case Opcode::minimum:
      return zip<T, T, i_minimum<T>>;
    default:
      return compare_loop<T>(op);
  }
}

InnerLoop predicate_loop(Opcode op) {
  switch (op) {
    case Opcode::logical_not:
      return map<uint8_t, uint8_t, l_not>;
    case Opcode::logical_and:
      return zip<uint8_t, uint8_t, l_and>;
    case Opcode::logical_or:
      return zip<uint8_t, uint8_t, l_or>;
    case Opcode::logical_xor:
      return zip<uint8_t, uint8_t, l_xor>;
    default:
      return compare_loop<uint8_t>(op);
  }
}

template <class T>
InnerLoop cast_loop(DType to) {
  switch (to) {
    case DType::f32:
      return map<T, float, convert<T, float>>;
    case DType::s32:
      return map<T, int32_t, convert<T, int32_t>>;
    case DType::s64:
      return map<T, int64_t, convert<T, int64_t>>;
    default:
      return map<T, uint8_t, truth<T>>;
  }
}

template <>
InnerLoop cast_loop<float>(DType to) {
  switch (to) {
    case DType::f32:
      return map<float, float, same<float>>;
    case DType::s32:
      return map<float, int32_t, saturate<int32_t>>;
    case DType::s64:
      return map<float, int64_t, saturate<int64_t>>;
    case DType::bf16:
      return narrow;
    default:
      return map<float, uint8_t, truth<float>>;
  }
}

InnerLoop f32_loop(Opcode op) {
  switch (op) {
    case Opcode::neg:
      return unary<v_neg>;
    case Opcode::abs:
      return unary<v_abs>;
    case Opcode::sign:
      return unary<v_sign>;
    case Opcode::exp:
      return unary<v_exp>;
    case Opcode::expm1:
      return unary<v_expm1>;
    case Opcode::log:
      return unary<v_log>;
    case Opcode::log1p:
      return unary<v_log1p>;
    case Opcode::sqrt:
      return unary<v_sqrt>;
    case Opcode::rsqrt:
      return unary<v_rsqrt>;
    case Opcode::tanh:
      return unary<v_tanh>;
    case Opcode::sigmoid:
      return unary<v_sigmoid>;
    case Opcode::relu:
      return unary<v_relu>;
    case Opcode::gelu:
      return unary<v_gelu>;
    case Opcode::gelu_tanh:
      return unary<v_gelu_tanh>;
    case Opcode::silu:
      return unary<v_silu>;
    case Opcode::softplus:
      return unary<v_softplus>;
    case Opcode::erf:
      return unary<v_erf>;
    case Opcode::sin:
      return unary<v_sin>;
    case Opcode::cos:
      return unary<v_cos>;
    case Opcode::floor:
      return unary<v_floor>;
    case Opcode::ceil:
      return unary<v_ceil>;
    case Opcode::round:
      return unary<v_round>;
    case Opcode::reciprocal:
      return unary<v_reciprocal>;
    case Opcode::square:
      return unary<v_square>;
    case Opcode::add:
      return binary<v_add>;
    case Opcode::sub:
      return binary<v_sub>;
    case Opcode::mul:
      return binary<v_mul>;
    case Opcode::div:
      return binary<v_div>;
    case Opcode::maximum:
      return binary<v_maximum>;
    case Opcode::minimum:
      return binary<v_minimum>;
    case Opcode::pow:
      return zip<float, float, f_pow>;
    case Opcode::remainder:
      return zip<float, float, f_remainder>;
    case Opcode::is_finite:
      return map<float, uint8_t, is_finite>;
    default:
      return compare_loop<float>(op);
  }
}

}  // namespace

InnerLoop inner_loop(Opcode op, DType from, DType to) {
  const bool cast = op == Opcode::cast;
  switch (from) {
    case DType::f32:
      return cast ? cast_loop<float>(to) : f32_loop(op);
    case DType::s32:
      return cast ? cast_loop<int32_t>(to) : integer_loop<int32_t>(op);
    case DType::s64:
      return cast ? cast_loop<int64_t>(to) : integer_loop<int64_t>(op);
    case DType::bf16:
      return cast ? widen : map<uint16_t, uint16_t, same<uint16_t>>;
    default:
      return cast ? cast_loop<uint8_t>(to) : predicate_loop(op);
  }
}

}  // namespace weft::onednn::kernels::WEFT_ISA
