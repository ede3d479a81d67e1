// backends/onednn/machine/threads.h -- the size of the OpenMP team.
#pragma once

namespace weft::onednn {

// For every region from here on; what was planned before for fewer threads must not run any more.
void use_threads(int threads);
int threads();

}  // namespace weft::onednn
