// backends/onednn/kernels/measure_peak.cpp -- what this machine can do at best.
#include "backends/onednn/kernels/peak.h"

namespace weft::onednn::kernels {

Peak measure_peak(double seconds) {
  return {.gflops = peak_run({PeakKind::fma, seconds}) * 1e-9,
          .gtanh = peak_run({PeakKind::tanh, seconds}) * 1e-9,
          .gexp = peak_run({PeakKind::exp, seconds}) * 1e-9};
}

}  // namespace weft::onednn::kernels
