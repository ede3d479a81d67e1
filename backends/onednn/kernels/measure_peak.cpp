// backends/onednn/kernels/measure_peak.cpp -- what this machine can do at best.
#include "backends/onednn/kernels/peak.h"

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace weft::onednn::kernels {

Peak measure_peak(double seconds) {
  return {.gflops = peak_run({PeakKind::fma, seconds}) * 1e-9,
          .gtanh = peak_run({PeakKind::tanh, seconds}) * 1e-9,
          .gexp = peak_run({PeakKind::exp, seconds}) * 1e-9};
}

double measure_bandwidth(double seconds) {
  constexpr int64_t kElements = int64_t{1} << 23;             // 32 MB each
  constexpr double kBytes = 3.0 * sizeof(float) * kElements;  // two read, one written
  std::vector<float> a(kElements), b(kElements, 1.0F);
  float *x = a.data(), *y = b.data();
  double best = 0;
  const double start = omp_get_wtime();
  for (double now = start; now - start < seconds || best == 0;) {
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < kElements; ++i) x[i] += 0.5F * y[i];
    const double end = omp_get_wtime();
    best = std::max(best, kBytes / (end - now));
    now = end;
  }
  return best * 1e-9;
}

}  // namespace weft::onednn::kernels
