// backends/onednn/kernels/math.h -- exp, log, tanh and their kin on one vector register.
//
// Polynomials and quotients are minimax fits (relative error, Lawson's iteration in quadruple
// precision). Largest errors found against double on 10^6 random arguments a range, in units in the
// last place:
//   exp 1.1   expm1 1.5   log 0.9   log1p 1.5   tanh 5.0   sigmoid 2.4   erf 5.3   sin, cos 1.6
//   softplus 1.9   silu 2.7;   gelu and gelu_tanh 1.2e-6 absolute for x < 0, where 1 + erf cancels
// NaN propagates. exp flushes results below 2^-126 to 0. sin and cos of |x| > 2^15 go to libm lane
// by lane. tanh and erf never exceed 1.
#pragma once
#include "backends/onednn/kernels/vec/vec.h"

#include <math.h>

namespace weft::onednn::kernels::WEFT_ISA {

WEFT_INLINE Vec infinity() { return splat(__builtin_inff()); }

// r + r^2 P(r), which is e^r - 1, for |r| <= log(2)/2.
WEFT_INLINE Vec expm1_reduced(Vec r) {
  Vec p = splat(1.390128214e-03F);
  p = fma(p, r, splat(8.363140375e-03F));
  p = fma(p, r, splat(4.166685338e-02F));
  p = fma(p, r, splat(1.666657732e-01F));
  p = fma(p, r, splat(4.999999955e-01F));
  return fma(p, r * r, r);
}

// x = n*log(2) + r; returns r and sets n (as a whole float).
WEFT_INLINE Vec exp_reduce(Vec x, Vec& n) {
  n = round(x * splat(1.44269504088896341F));
  return fnma(n, splat(-2.12194440e-4F), fnma(n, splat(0.693359375F), x));
}

// e^x for lanes in [-87.33, 88.72]; anything else is the caller's.
WEFT_INLINE Vec exp_in_range(Vec x) {
  Vec n;
  const Vec r = exp_reduce(x, n);
  const Vec p = splat(1.0F) + expm1_reduced(r);
  return as_float(as_int(p) + (to_int(n) << 23));
}

WEFT_INLINE Vec exp(Vec x) {
  const Vec y = exp_in_range(max(splat(-87.33654F), min(splat(88.72283F), x)));
  const Vec low = select(less(x, splat(-87.33654F)), splat(0.0F), y);
  return select(greater(x, splat(88.72283F)), infinity(), low);
}

// e^x for x <= 0 (softmax): one comparison less.
WEFT_INLINE Vec exp_negative(Vec x) {
  const Vec y = exp_in_range(max(splat(-87.33654F), x));
  return select(less(x, splat(-87.33654F)), splat(0.0F), y);
}

// 2^x for x <= 127, flushed to 0 below 2^-126. The sum with 1.5*2^23 + 127 has the biased exponent
// in its low bits.
WEFT_INLINE Vec exp2_open(Vec x) {
  x = max(splat(-127.0F), x);
  const Vec shifted = x + splat(12583039.0F);
  const Vec r = x - (shifted - splat(12583039.0F));
  Vec p = splat(1.541727518e-04F);
  p = fma(p, r, splat(1.338125022e-03F));
  p = fma(p, r, splat(9.618172208e-03F));
  p = fma(p, r, splat(5.550381112e-02F));
  p = fma(p, r, splat(2.402265048e-01F));
  p = fma(p, r, splat(6.931471806e-01F));
  p = fma(p, r, splat(1.0F));
  return p * as_float(as_int(shifted) << 23);
}

WEFT_INLINE Vec expm1(Vec x) {
  Vec n;
  const Vec r = exp_reduce(max(splat(-20.0F), min(splat(80.0F), x)), n);
  const Vec scale = as_float((to_int(n) + splat_int(127)) << 23);
  const Vec y = fma(scale, expm1_reduced(r), scale - splat(1.0F));
  return select(greater(x, splat(80.0F)), exp(x), y);
}

WEFT_INLINE Vec log(Vec x) {
  const Bits tiny = less(x, splat(1.17549435e-38F));
  const Vec scaled = select(tiny, x * splat(8388608.0F), x);
  // The exponent is taken at sqrt(1/2), so that m lies in [sqrt(1/2), sqrt(2)).
  const Int shifted = as_int(scaled) - splat_int(0x3F3504F3);
  const Int exponent = shifted >> 23;
  const Vec m = as_float((shifted & splat_int(0x007FFFFF)) + splat_int(0x3F3504F3));
  const Vec e = to_float(exponent) - select(tiny, splat(23.0F), splat(0.0F));
  const Vec f = m - splat(1.0F);
  Vec p = splat(7.037680917e-02F);
  p = fma(p, f, splat(-1.151460753e-01F));
  p = fma(p, f, splat(1.167699851e-01F));
  p = fma(p, f, splat(-1.242014130e-01F));
  p = fma(p, f, splat(1.424932287e-01F));
  p = fma(p, f, splat(-1.666805764e-01F));
  p = fma(p, f, splat(2.000071476e-01F));
  p = fma(p, f, splat(-2.499999399e-01F));
  p = fma(p, f, splat(3.333333117e-01F));
  const Vec z = f * f;
  Vec y = fma(e, splat(-2.12194440e-4F), p * f * z);
  y = fnma(splat(0.5F), z, y);
  y = fma(e, splat(0.693359375F), f + y);
  y = select(equal(x, infinity()), x, y);
  y = select(equal(x, splat(0.0F)), -infinity(), y);
  const Bits outside = either(less(x, splat(0.0F)), is_nan(x));
  return select(outside, splat(__builtin_nanf("")), y);
}

// log(u) + (x - (u - 1))/u with u = 1 + x: the second term is what rounding u lost.
WEFT_INLINE Vec log1p(Vec x) {
  const Vec u = splat(1.0F) + x;
  const Vec y = log(u) + (x - (u - splat(1.0F))) / u;
  const Bits plain = either(equal(u, splat(0.0F)), equal(u, infinity()));
  return select(plain, log(u), y);
}

// x P(x^2)/Q(x^2), all coefficients positive. May exceed 1 by one unit in the last place, which
// saves two instructions where that does not matter.
WEFT_INLINE Vec tanh_open(Vec x) {
  x = max(splat(-9.01F), min(splat(9.01F), x));
  const Vec z = x * x;
  Vec p = splat(1.333682036e-08F);
  p = fma(p, z, splat(2.059625202e-05F));
  p = fma(p, z, splat(3.494809628e-03F));
  p = fma(p, z, splat(1.338037036e-01F));
  p = fma(p, z, splat(9.999999792e-01F));
  Vec q = splat(7.769271111e-07F);
  q = fma(q, z, splat(3.284360969e-04F));
  q = fma(q, z, splat(2.587402122e-02F));
  q = fma(q, z, splat(4.671368577e-01F));
  q = fma(q, z, splat(1.0F));
  return x * p / q;
}
WEFT_INLINE Vec tanh(Vec x) { return max(splat(-1.0F), min(splat(1.0F), tanh_open(x))); }

WEFT_INLINE Vec erf(Vec x) {
  x = max(splat(-3.92F), min(splat(3.92F), x));
  const Vec z = x * x;
  Vec p = splat(2.050084864e-06F);
  p = fma(p, z, splat(2.848838696e-04F));
  p = fma(p, z, splat(3.765654104e-03F));
  p = fma(p, z, splat(5.274883807e-02F));
  p = fma(p, z, splat(1.904072909e-01F));
  p = fma(p, z, splat(1.128379146e+00F));
  Vec q = splat(3.809175010e-05F);
  q = fma(q, z, splat(1.162545110e-03F));
  q = fma(q, z, splat(1.496929046e-02F));
  q = fma(q, z, splat(1.141094579e-01F));
  q = fma(q, z, splat(5.020768087e-01F));
  q = fma(q, z, splat(1.0F));
  const Vec y = x * p / q;
  return max(splat(-1.0F), min(splat(1.0F), y));
}

WEFT_INLINE Vec sigmoid(Vec x) { return splat(1.0F) / (splat(1.0F) + exp(-x)); }
WEFT_INLINE Vec silu(Vec x) {
  // At -inf the product would be -inf*0.
  return select(less(x, splat(-104.0F)), splat(0.0F), x * sigmoid(x));
}
WEFT_INLINE Vec softplus(Vec x) { return maximum(x, splat(0.0F)) + log1p(exp_negative(-abs(x))); }
WEFT_INLINE Vec gelu(Vec x) {
  const Vec y = splat(0.5F) * x * (splat(1.0F) + erf(x * splat(0.70710678118654752F)));
  // 1 + erf is never quite 0.
  return select(less(x, splat(-10.0F)), splat(0.0F), y);
}
WEFT_INLINE Vec gelu_tanh(Vec x) {
  const Vec cubic = fma(x * x * x, splat(0.044715F), x);
  const Vec y = splat(0.5F) * x * (splat(1.0F) + tanh(cubic * splat(0.79788456080286536F)));
  return select(less(x, splat(-10.0F)), splat(0.0F), y);
}

// sin(x) for `quarter` = 0, cos(x) for `quarter` = 1.
WEFT_INLINE Vec sin_shifted(Vec x, int quarter) {
  const Vec n = round(x * splat(0.636619772367581343F));
  Vec r = fnma(n, splat(1.57079637050628662F), x);
  r = fnma(n, splat(-4.37113900018624283e-8F), r);
  r = fnma(n, splat(-1.71512449e-15F), r);
  const Int q = to_int(n) + splat_int(quarter);
  const Vec z = r * r;
  Vec s = splat(-1.958736035e-04F);
  s = fma(s, z, splat(8.332744992e-03F));
  s = fma(s, z, splat(-1.666666464e-01F));
  s = fma(s * z, r, r);
  Vec c = splat(2.454760803e-05F);
  c = fma(c, z, splat(-1.388830097e-03F));
  c = fma(c, z, splat(4.166666464e-02F));
  c = fma(c * z, z, fnma(splat(0.5F), z, splat(1.0F)));
  const Vec y = select(nonzero(q & splat_int(1)), c, s);
  return as_float(as_int(y) ^ ((q & splat_int(2)) << 30));
}
WEFT_INLINE Vec sin(Vec x) {
  Vec y = sin_shifted(x, 0);
  if (any(greater(abs(x), splat(32768.0F)))) {
    for (int i = 0; i < kWidth; ++i) y[i] = __builtin_fabsf(x[i]) > 32768.0F ? sinf(x[i]) : y[i];
  }
  return y;
}
WEFT_INLINE Vec cos(Vec x) {
  Vec y = sin_shifted(x, 1);
  if (any(greater(abs(x), splat(32768.0F)))) {
    for (int i = 0; i < kWidth; ++i) y[i] = __builtin_fabsf(x[i]) > 32768.0F ? cosf(x[i]) : y[i];
  }
  return y;
}

}  // namespace weft::onednn::kernels::WEFT_ISA
