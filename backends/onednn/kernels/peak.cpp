// backends/onednn/kernels/peak.cpp -- the measurements, compiled for one instruction set.
#include "backends/onednn/kernels/peak.h"

#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/math.h"

#include <omp.h>

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

inline constexpr int64_t kElements = 2048;  // 16 KB in and out: inside the L1 cache
inline constexpr int64_t kRounds = 64;      // between two looks at the clock

// Twelve independent chains hide the latency of two multiply-adds a cycle.
double fma_round() {
  Vec chain[12];
  for (int i = 0; i < 12; ++i) chain[i] = splat((float)i);
  const Vec a = splat(0.999F), b = splat(0.001F);
  for (int64_t n = 0; n < kElements; ++n) {
#pragma GCC unroll 12
    for (Vec& c : chain) c = fma(c, a, b);
  }
  Vec total = splat(0);
  for (const Vec& c : chain) total += c;
  asm volatile("" : : "x"(total));
  return 2.0 * 12 * kWidth * kElements;
}

template <Vec (*F)(Vec)>
double map_round(float* x) {
  asm volatile("" : : "r"(x) : "memory");
  for (int64_t i = 0; i < kElements; i += 2 * kWidth) {
    const Vec u = F(load(x + i)), v = F(load(x + i + kWidth));
    store(x + kElements + i, u);
    store(x + kElements + i + kWidth, v);
  }
  return (double)kElements;
}

WEFT_INLINE Vec v_tanh(Vec x) { return tanh(x); }
WEFT_INLINE Vec v_exp(Vec x) { return exp(x); }

}  // namespace

double peak_run(const PeakRun& args) {
  double rate = 0;
#pragma omp parallel reduction(+ : rate)
  {
    alignas(64) float x[2 * kElements];
    for (int64_t i = 0; i < kElements; ++i) x[i] = (float)i / kElements - 0.5F;
    double done = 0;
    const double start = omp_get_wtime();
    double now = start;
    while (now - start < args.seconds) {
      for (int64_t r = 0; r < kRounds; ++r) {
        switch (args.kind) {
          case PeakKind::fma:
            done += fma_round();
            break;
          case PeakKind::tanh:
            done += map_round<v_tanh>(x);
            break;
          case PeakKind::exp:
            done += map_round<v_exp>(x);
            break;
        }
      }
      now = omp_get_wtime();
    }
    rate += done / (now - start);
  }
  return rate;
}

}  // namespace weft::onednn::kernels::WEFT_ISA
