// backends/onednn/kernels/additive_rows.h -- the pieces that additive attention and its gradient share.
#pragma once
#include "backends/onednn/kernels/additive_attention_sizes.h"
#include "backends/onednn/kernels/columns.h"
#include "backends/onednn/kernels/mask_row.h"
#include "backends/onednn/kernels/math.h"

namespace weft::onednn::kernels::WEFT_ISA {

// Writes the allowed keys of query t to `list` and returns how many there are. What follows never
// touches another key.
template <class Args>
WEFT_INLINE int64_t list_keys(const Args& args, int64_t b, int64_t t, int32_t* list) {
  int64_t keys = args.keys, n = 0;
  if (args.lengths != nullptr) keys = larger(0, smaller(keys, args.lengths[b]));
  const MaskRow mask = mask_row(args.mask, b, 0, t);
  for (int64_t j = 0; j < keys; ++j) {
    list[n] = static_cast<int32_t>(j);
    n += mask.at(j) ? 1 : 0;
  }
  return n;
}

// True if all queries of a batch entry see the same keys.
template <class Args>
WEFT_INLINE bool same_keys(const Args& args) {
  return args.mask.allowed == nullptr || args.mask.row == 0 || args.queries == 1;
}

// e[i] = scale * va . tanh(q + k_i) for N keys at a time; h keeps the tanh if Keeps. Each e is one
// chain of additions in the order of the columns, so it does not depend on N.
template <int N, bool Keeps>
WEFT_INLINE void score_group(const float* q, const float* const* k, const float* va, int64_t hidden,
                             float scale, float* e, float* h, int64_t ld_h) {
  Vec total[N];
  for (int i = 0; i < N; ++i) total[i] = splat(0);
  for_columns(hidden, [&](int64_t c, auto at) {
    const Vec q_c = at.get(q + c), va_c = at.get(va + c);
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) {
      const Vec t = tanh_open(q_c + at.get(k[i] + c));
      if (Keeps) at.put(h + i * ld_h + c, t);
      total[i] = fma(va_c, t, total[i]);
    }
  });
  for (int i = 0; i < N; ++i) e[i] = scale * sum(total[i]);
}

template <bool Keeps>
WEFT_INLINE void score_keys(int64_t n, const float* q, const float* const* k, const float* va,
                            int64_t hidden, float scale, float* e, float* h, int64_t ld_h) {
  switch (n) {
    case 4: return score_group<4, Keeps>(q, k, va, hidden, scale, e, h, ld_h);
    case 3: return score_group<3, Keeps>(q, k, va, hidden, scale, e, h, ld_h);
    case 2: return score_group<2, Keeps>(q, k, va, hidden, scale, e, h, ld_h);
    default: return score_group<1, Keeps>(q, k, va, hidden, scale, e, h, ld_h);
  }
}

// Points rows[0..n) at the rows of x that the list names.
WEFT_INLINE void point_at(const float* x, int64_t stride, const int32_t* list, int64_t n, const float** rows) {
  for (int64_t i = 0; i < n; ++i) rows[i] = x + list[i] * stride;
}

template <class Args>
void score_row(const Args& args, const float* q, const float* k, const int32_t* list, int64_t n, float* e) {
  const float* rows[kKeyGroup];
  for (int64_t i = 0; i < n; i += kKeyGroup) {
    const int64_t group = smaller(kKeyGroup, n - i);
    point_at(k, args.k_row, list + i, group, rows);
    score_keys<false>(group, q, rows, args.va, args.hidden, args.scale, e + i, nullptr, 0);
  }
}

}  // namespace weft::onednn::kernels::WEFT_ISA
