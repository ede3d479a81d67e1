// backends/onednn/kernels/parallel.h -- one parallel region per kernel, or none.
//
// `parallel(work, body)` runs body(thread, threads) on all threads of the team, or body(0, 1) on
// the caller if `work`, in element operations, is too small to pay for waking the others. A region
// costs 1.1 us, about 8,000 multiply-adds on one core of the machines this was measured on.
#pragma once
#include "backends/onednn/kernels/vec/vec.h"

#include <omp.h>

namespace weft::onednn::kernels::WEFT_ISA {

inline constexpr int64_t kShareThreshold = 8192;

struct Range {
  int64_t begin, end;
};

// Thread `thread`'s share of n units: contiguous, sizes differing by at most one.
WEFT_INLINE Range share(int64_t n, int64_t thread, int64_t threads) {
  return {n * thread / threads, n * (thread + 1) / threads};
}

template <class Body>
WEFT_INLINE void parallel(int64_t work, const Body& body) {
  if (work < kShareThreshold || omp_get_max_threads() == 1 || omp_in_parallel() != 0) {
    body(int64_t{0}, int64_t{1});
    return;
  }
#pragma omp parallel
  body(static_cast<int64_t>(omp_get_thread_num()), static_cast<int64_t>(omp_get_num_threads()));
}

// body(begin, end) over n units of `cost` element operations each.
template <class Body>
WEFT_INLINE void parallel_for(int64_t n, int64_t cost, const Body& body) {
  parallel(n * cost, [&](int64_t thread, int64_t threads) {
    const Range mine = share(n, thread, threads);
    if (mine.begin < mine.end) body(mine.begin, mine.end);
  });
}

// Waits for the team inside a body of `parallel`. Harmless when the body runs on the caller alone.
WEFT_INLINE void wait_for_team(int64_t threads) {
  if (threads > 1) {
#pragma omp barrier
  }
}

}  // namespace weft::onednn::kernels::WEFT_ISA
