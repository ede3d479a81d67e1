// backends/onednn/kernels/dot_attention_scores.h -- what dot attention and its gradient share:
// which keys are seen, scores of a tile, what dropout keeps.
//
// A tile holds keys in rows and queries in columns, so that the softmax runs along lanes and masks
// of keys are whole rows. Scores are in units of log 2: exp(e) = 2^(e*log2 e).
#pragma once
#include "backends/onednn/kernels/columns.h"
#include "backends/onednn/kernels/dot_attention_sizes.h"
#include "backends/onednn/kernels/dropout_words.h"
#include "backends/onednn/kernels/mask_row.h"
#include "backends/onednn/kernels/math.h"
#include "backends/onednn/kernels/parallel.h"
#include "backends/onednn/kernels/tile.h"

#include <string.h>

namespace weft::onednn::kernels::WEFT_ISA {

inline constexpr float kLog2E = 1.442695041F, kLn2 = 0.6931471806F;

template <class T>  // of nothing, nothing
WEFT_INLINE T* row_of(const Heads<T>& x, int64_t b, int64_t h, int64_t t) {
  if (x.data == nullptr) return nullptr;
  return x.data + h * x.head +
         (x.start == nullptr ? b * x.batch + t * x.row : (x.start[b] + t) * x.row);
}

// The same place in an array that lies as x does.
template <class T>
WEFT_INLINE const uint16_t* low_row_of(const uint16_t* low, const Heads<T>& x, int64_t b, int64_t h,
                                       int64_t t) {
  return low + h * x.head +
         (x.start == nullptr ? b * x.batch + t * x.row : (x.start[b] + t) * x.row);
}

// How many there are of a batch entry.
template <class Args>
WEFT_INLINE int64_t queries_of(const Args& args, int64_t b) {
  return args.q.start == nullptr ? args.queries : args.q.start[b + 1] - args.q.start[b];
}
template <class Args>
WEFT_INLINE int64_t keys_of(const Args& args, int64_t b) {
  return args.k.start == nullptr ? args.keys : args.k.start[b + 1] - args.k.start[b];
}

// Asks for rows that will be read soon: the processor foresees long runs only.
template <class T>
WEFT_INLINE void fetch(const Heads<T>& x, int64_t b, int64_t h, int64_t t, int64_t rows,
                       int64_t columns) {
  const T* const first = row_of(x, b, h, t);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t c = 0; c < columns; c += 16)
      _mm_prefetch((const char*)(first + i * x.row + c), _MM_HINT_T1);
}

template <class T>
WEFT_INLINE void fetch(const Heads<T>& x, const uint16_t* low, int64_t b, int64_t h, int64_t t,
                       int64_t rows, int64_t columns) {
  if (low == nullptr) return fetch(x, b, h, t, rows, columns);
  const uint16_t* const first = low_row_of(low, x, b, h, t);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t c = 0; c < columns; c += 32)
      _mm_prefetch((const char*)(first + i * x.row + c), _MM_HINT_T1);
}

// Units of work handed to whoever is free.
template <class Body>
WEFT_INLINE void take_units(int64_t* next, int64_t units, const Body& body) {
  for (;;) {
    const int64_t unit = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);
    if (unit >= units) return;
    body(unit);
  }
}

// --- masks

// Does the mask hide keys from all queries alike?
template <class Args>
WEFT_INLINE bool masks_keys(const Args& args) {
  return args.mask.allowed != nullptr && (args.mask.row == 0 || args.queries == 1);
}
template <class Args>
WEFT_INLINE bool masks_pairs(const Args& args) {
  return args.mask.allowed != nullptr && !masks_keys(args);
}

// From the first to behind the last key that a mask of keys shows to queries [t, t+queries).
template <class Args>
WEFT_INLINE Range seen_keys(const Args& args, int64_t b, int64_t h, int64_t t, int64_t queries) {
  const Keys near = within(args.band, t, queries, keys_of(args, b));
  Range seen{near.begin, near.end};
  if (!masks_keys(args)) return seen;
  const MaskRow mask = mask_row(args.mask, b, h, 0);
  while (seen.end > seen.begin && !mask.at(seen.end - 1)) --seen.end;
  while (seen.begin < seen.end && !mask.at(seen.begin)) ++seen.begin;
  return seen;
}

// Keys [j, j+n) and their values: where they lie, or copied (bf16 is), hidden ones as 0.
struct KeyBlock {
  int64_t j, n;
  const float *k, *v;
  int64_t ld_k, ld_v;
  bool holes;  // some are hidden from all queries
};

template <class T>
WEFT_INLINE void copy_rows(const T* x, int64_t ld, int64_t rows, int64_t columns, MaskRow mask,
                           int64_t j, float* y, int64_t ld_y) {
  for (int64_t i = 0; i < rows; ++i) {
    if (!mask.at(j + i)) {
      memset(y + i * ld_y, 0, (size_t)columns * sizeof(float));
      continue;
    }
    for_columns(columns,
                [&](int64_t c, auto at) { at.put(y + i * ld_y + c, at.get(x + i * ld + c)); });
  }
}

// Those of a block that a panel's queries may see by the band.
WEFT_INLINE KeyBlock cut(KeyBlock block, const Band& band, int64_t t, int64_t queries) {
  const Keys near = within(band, t, queries, block.j + block.n);
  const int64_t skipped = larger(0, near.begin - block.j);
  block.n = larger(0, near.end - block.j - skipped);
  block.j += skipped, block.k += skipped * block.ld_k, block.v += skipped * block.ld_v;
  return block;
}

// Rows so far apart that a block of them shares few sets of the cache.
WEFT_INLINE bool spread(int64_t ld, int64_t columns) { return ld > columns + 64; }

template <class Args>
WEFT_INLINE KeyBlock key_block(const Args& args, int64_t b, int64_t h, int64_t j, int64_t n,
                               float* buffer) {
  KeyBlock block{j,          n,    row_of(args.k, b, h, j), row_of(args.v, b, h, j), args.k.row,
                 args.v.row, false};
  MaskRow mask{nullptr, 0};
  if (masks_keys(args)) {
    const MaskRow keys = mask_row(args.mask, b, h, 0);
    for (int64_t i = 0; i < n; ++i) block.holes |= !keys.at(j + i);
    if (block.holes) mask = keys;
  }
  const bool low = args.low.k != nullptr;
  if (low || block.holes || spread(args.k.row, args.hidden)) {
    if (low)
      copy_rows(low_row_of(args.low.k, args.k, b, h, j), args.k.row, n, args.hidden, mask, j,
                buffer, padded_row(args.hidden));
    else
      copy_rows(block.k, args.k.row, n, args.hidden, mask, j, buffer, padded_row(args.hidden));
    block.k = buffer, block.ld_k = padded_row(args.hidden);
  }
  if (low || block.holes || spread(args.v.row, args.width)) {
    float* values = buffer + tile_keys(args) * padded_row(args.hidden);
    if (low)
      copy_rows(low_row_of(args.low.v, args.v, b, h, j), args.v.row, n, args.width, mask, j, values,
                padded_row(args.width));
    else
      copy_rows(block.v, args.v.row, n, args.width, mask, j, values, padded_row(args.width));
    block.v = values, block.ld_v = padded_row(args.width);
  }
  return block;
}

// May query `row` see none, some or all of n keys from j on?
enum class Seen : uint8_t { none, some, all };
WEFT_INLINE Seen seen_in_row(MaskRow row, int64_t j, int64_t n) {
  bool any = false, all = true;
  int64_t i = 0;
  if (row.column == 1)
    for (; i + 32 <= n; i += 32) {
      const __m256i zero = _mm256_cmpeq_epi8(
          _mm256_loadu_si256((const __m256i*)(row.allowed + j + i)), _mm256_setzero_si256());
      const auto hidden = (uint32_t)_mm256_movemask_epi8(zero);
      any |= hidden != 0xFFFFFFFFU;
      all &= hidden == 0;
    }
  for (; i < n; ++i) {
    const bool seen = row.at(j + i);
    any |= seen;
    all &= seen;
  }
  return all ? Seen::all : any ? Seen::some : Seen::none;
}

// --- a panel of queries against a block of keys

struct Panel {
  int64_t b, h, t, queries;  // queries [t, t+queries), at most kLanes
};

// A bias in units of log 2, finite where it was: the lowest float hides a key as -inf does, but
// leaves a row that has nothing else what it is.
inline constexpr float kMostBias = 2.358e38F;  // the greatest float / log2(e)
WEFT_INLINE float bias_in_log2(float x) {
  if (__builtin_isinf(x)) return x;
  return kLog2E * (x > kMostBias ? kMostBias : x < -kMostBias ? -kMostBias : x);
}
WEFT_INLINE __m256 bias_in_log2(__m256 x) {
  const __m256 most = _mm256_set1_ps(kMostBias), least = _mm256_set1_ps(-kMostBias);
  const __m256 size = _mm256_andnot_ps(_mm256_set1_ps(-0.0F), x);
  const __m256 infinite = _mm256_cmp_ps(size, _mm256_set1_ps(__builtin_inff()), _CMP_EQ_OQ);
  // The second operand is the result where one is NaN.
  const __m256 finite = _mm256_max_ps(least, _mm256_min_ps(most, x));
  return _mm256_mul_ps(_mm256_blendv_ps(finite, x, infinite), _mm256_set1_ps(kLog2E));
}

// e[keys][ld] += x[queries][keys] transposed, x a bias or not
template <bool IsBias>
WEFT_INLINE void add_transposed(const float* x, int64_t row, int64_t queries, int64_t keys,
                                float* e, int64_t ld) {
  for (int64_t t = 0; t < queries; t += 8)
    for (int64_t j = 0; j < keys; j += 8) {
      const Square s = transposed(load_square(x + t * row + j, row, queries - t, keys - j));
      Square sum = load_square(e + j * ld + t, ld, keys - j, 8);
      for (int i = 0; i < 8; ++i)
        sum.row[i] = _mm256_add_ps(sum.row[i], IsBias ? bias_in_log2(s.row[i]) : s.row[i]);
      store_square(e + j * ld + t, ld, keys - j, 8, sum);
    }
}

WEFT_INLINE void add_bias(const Bias& bias, const Panel& p, const KeyBlock& keys, float* e,
                          int64_t ld) {
  if (bias.data == nullptr) return;
  const float* x =
      bias.data + p.b * bias.batch + p.h * bias.head + p.t * bias.row + keys.j * bias.column;
  if (bias.row != 0 && bias.column == 1)
    return add_transposed<true>(x, bias.row, p.queries, keys.n, e, ld);
  for (int64_t j = 0; j < keys.n; ++j)
    for (int64_t t = 0; t < p.queries; ++t)
      e[j * ld + t] += bias_in_log2(x[t * bias.row + j * bias.column]);
}

// Scores that may not be looked at become `hidden`. Returns whether anything is left.
template <class Args>
WEFT_INLINE bool hide(const Args& args, const Panel& p, const KeyBlock& keys, float* e, int64_t ld,
                      float hidden = -__builtin_inff()) {
  if (keys.holes) {
    const MaskRow mask = mask_row(args.mask, p.b, p.h, 0);
    for (int64_t j = 0; j < keys.n; ++j)
      for (int64_t t = 0; t < kLanes && !mask.at(keys.j + j); ++t) e[j * ld + t] = hidden;
  }
  bool any = true;
  if (masks_pairs(args)) {
    any = false;
    for (int64_t t = 0; t < p.queries; ++t) {
      const MaskRow mask = mask_row(args.mask, p.b, p.h, p.t + t);
      const Seen seen = seen_in_row(mask, keys.j, keys.n);
      any |= seen != Seen::none;
      for (int64_t j = 0; j < keys.n && seen != Seen::all; ++j)
        if (!mask.at(keys.j + j)) e[j * ld + t] = hidden;
    }
  }
  // Keys ahead of the first queries, and too far behind the last ones.
  for (int64_t j = larger(0, p.t + args.band.ahead + 1 - keys.j); j < keys.n; ++j)
    for (int64_t t = 0; t < p.queries && p.t + t + args.band.ahead < keys.j + j; ++t)
      e[j * ld + t] = hidden;
  const int64_t behind = smaller(keys.n, p.t + p.queries - 1 - args.band.behind - keys.j);
  for (int64_t j = 0; j < behind; ++j)
    for (int64_t t = larger(0, keys.j + j + args.band.behind + 1 - p.t); t < p.queries; ++t)
      e[j * ld + t] = hidden;
  return any;
}

// Beyond this the log-sum-exp of a row has lost too much of the sum's logarithm to rounding for
// weights to be made of it: the row is summed up again.
inline constexpr float kExactLse = 64;
WEFT_INLINE bool is_exact(float lse) { return __builtin_fabsf(lse) <= kExactLse; }

// --- dropout

// z[keys][ld]: factor where a weight is kept, else 0.
WEFT_INLINE void draw_tile(const WeightDropout& d, const Panel& p, int64_t j, int64_t n, float* z,
                           int64_t ld) {
  uint32_t words[8][kForwardKeys + 8];  // the most there are
  const __m256i flip = _mm256_set1_epi32(INT32_MIN);
  const __m256i threshold = _mm256_xor_si256(_mm256_set1_epi32((int)d.threshold), flip);
  const __m256 factor = _mm256_set1_ps(d.factor);
  for (int64_t t = 0; t < p.queries; t += 8) {
    for (int64_t i = 0; i < 8 && t + i < p.queries; ++i)
      draw_words(d, p.b, p.h, p.t + t + i, j, n, words[i]);
    for (int64_t c = 0; c < n; c += 8) {
      Square s;
      for (int i = 0; i < 8; ++i) {
        const __m256i w =
            _mm256_xor_si256(_mm256_loadu_si256((const __m256i*)(words[i] + c)), flip);
        s.row[i] = _mm256_and_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(threshold, w)), factor);
      }
      store_square(z + c * ld + t, ld, n - c, 8, transposed(s));
    }
  }
}

}  // namespace weft::onednn::kernels::WEFT_ISA
