// backends/onednn/machine/threads.cpp -- the size of the OpenMP team.
#include "backends/onednn/machine/threads.h"

#include <omp.h>

namespace weft::onednn {

void use_threads(int threads) { omp_set_num_threads(threads); }

}  // namespace weft::onednn
