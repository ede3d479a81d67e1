// backends/onednn/kernels/peak.h -- what this machine can do at best, measured now.
//
// The yardsticks of the benches: fused multiply-adds from registers, and the vector tanh of our own
// kernels on data in the L1 cache, on as many threads as OpenMP would use.
#pragma once

namespace weft::onednn::kernels {

struct Peak {
  double gflops = 0;  // 2 per fused multiply-add
  double gtanh = 0;   // 1e9 tanh per second
  double gexp = 0;    // 1e9 exp per second
};

// Takes about `seconds` for each of the three.
Peak measure_peak(double seconds);

// GB/s of a += s*b on arrays far larger than the caches, over about `seconds`.
double measure_bandwidth(double seconds);

enum class PeakKind : unsigned char { fma, tanh, exp };

// One measurement: operations (flops, tanh, exp) per second over about `seconds`.
struct PeakRun {
  PeakKind kind;
  double seconds;
};
double peak_run(const PeakRun& args);

}  // namespace weft::onednn::kernels
