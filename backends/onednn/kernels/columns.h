// backends/onednn/kernels/columns.h -- a loop over a row in vectors, the last one partial.
//
// The body gets (j, at): columns from j on; at.get(p) and at.put(p, v) load and store as many as
// there are (lanes beyond read as 0), of f32 or, p pointing to uint16_t, of bf16. It is compiled
// twice, so that the full vectors pay nothing for the tail.
#pragma once
#include "backends/onednn/kernels/vec/bf16.h"
#include "backends/onednn/kernels/vec/vec.h"

namespace weft::onednn::kernels::WEFT_ISA {

struct Full {
  WEFT_INLINE Vec get(const float* p) { return load(p); }
  WEFT_INLINE void put(float* p, Vec v) { store(p, v); }
  WEFT_INLINE Vec get(const uint16_t* p) { return load_bf16(p); }
  WEFT_INLINE void put(uint16_t* p, Vec v) { store_bf16(p, v); }
};
struct Part {
  int64_t n;
  Vec get(const float* p) const { return load(p, n); }
  void put(float* p, Vec v) const { store(p, v, n); }
  Vec get(const uint16_t* p) const { return load_bf16(p, n); }
  void put(uint16_t* p, Vec v) const { store_bf16(p, v, n); }
};

template <class Body>
WEFT_INLINE void for_columns(int64_t n, const Body& body) {
  int64_t j = 0;
  for (; j + kWidth <= n; j += kWidth) body(j, Full{});
  if (j < n) body(j, Part{n - j});
}

// Fetches what lies `ld` behind p, a row further on, into the second-level cache: a kernel that
// goes over a dozen short rows at a time would wait for memory: the prefetcher cannot predict where
// a row begins.
template <class... P>
WEFT_INLINE void fetch_next(int64_t ld, const P*... p) {
  (__builtin_prefetch(p + ld, 0, 2), ...);
}

}  // namespace weft::onednn::kernels::WEFT_ISA
