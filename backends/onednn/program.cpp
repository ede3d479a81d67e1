// backends/onednn/program.cpp -- running a list of kernels.
#include "backends/onednn/program.h"

#include <chrono>

namespace weft::onednn {

void execute(const Program& program, const Run& run) {
  if (!run.timed) {
    for (const Kernel& k : program.kernels) k.run(run);
    return;
  }
  for (const Kernel& k : program.kernels) {
    const auto start = std::chrono::steady_clock::now();
    k.run(run);
    k.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    ++k.calls;
  }
}

}  // namespace weft::onednn
