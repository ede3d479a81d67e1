// backends/onednn/machine/threads.cpp -- the size of the OpenMP team.
#include "backends/onednn/machine/threads.h"

#include <omp.h>

namespace weft::onednn {

void use_threads(int threads) { omp_set_num_threads(threads); }

int threads() { return omp_get_max_threads(); }

}  // namespace weft::onednn
