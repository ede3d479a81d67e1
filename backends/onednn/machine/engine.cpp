// backends/onednn/machine/engine.cpp -- one team, one engine, one stream.
#include "backends/onednn/machine/engine.h"

#include "backends/onednn/kernels/isa.h"
#include "backends/onednn/machine/environment.h"
#include "ir/error.h"

#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>

namespace weft::onednn {

bool undo_pinning() {
  if (std::getenv("OMP_PROC_BIND") == nullptr && std::getenv("OMP_PLACES") == nullptr &&
      std::getenv("GOMP_CPU_AFFINITY") == nullptr)
    return false;
  cpu_set_t mine, parents;
  if (sched_getaffinity(0, sizeof mine, &mine) != 0 || CPU_COUNT(&mine) > 1) return false;
  if (sched_getaffinity(getppid(), sizeof parents, &parents) != 0 || CPU_COUNT(&parents) <= 1)
    return false;
  return sched_setaffinity(0, sizeof parents, &parents) == 0;
}

Engine::Engine() {
  mended_environment();
  undo_pinning();
  if (const char* why = kernels::kernels_error())
    throw ir::RuntimeError(ir::concat("error: ", why));
  omp_set_dynamic(0);
  if (omp_get_max_threads() > omp_get_thread_limit()) omp_set_num_threads(omp_get_thread_limit());
  threads_ = omp_get_max_threads();
  try {
    engine_ = dnnl::engine(dnnl::engine::kind::cpu, 0);
    stream_ = dnnl::stream(engine_);
  } catch (const dnnl::error& e) {
    throw ir::RuntimeError(
        ir::concat("error: oneDNN gives no CPU engine: ", e.what(), " (status ", e.status, ")"));
  }
}

}  // namespace weft::onednn
