// backends/onednn/kernels/additive_rows.h -- the pieces that additive attention and its gradient
// share.
#pragma once
#include "backends/onednn/kernels/additive_powers.h"
#include "backends/onednn/kernels/columns.h"
#include "backends/onednn/kernels/dropout_words.h"
#include "backends/onednn/kernels/mask_row.h"
#include "backends/onednn/kernels/math.h"

namespace weft::onednn::kernels::WEFT_ISA {

// Keys and values, which are f32 or bf16.
template <class T, class Args>
WEFT_INLINE const T* keys_of(const Args& args, int64_t b) {
  if constexpr (sizeof(T) == sizeof(float))
    return args.k.data + b * args.k.batch;
  else
    return args.low.k + b * args.k.batch;
}
template <class T, class Args>
WEFT_INLINE const T* values_of(const Args& args, int64_t b) {
  if constexpr (sizeof(T) == sizeof(float))
    return args.v.data + b * args.v.batch;
  else
    return args.low.v + b * args.v.batch;
}

// Writes the allowed keys of query t to `list` and returns how many there are. What follows never
// touches another key.
template <class Args>
WEFT_INLINE int64_t list_keys(const Args& args, int64_t b, int64_t t, int32_t* list) {
  const Keys near = within(args.band, t, 1, args.keys);
  const MaskRow mask = mask_row(args.mask, b, 0, t);
  int64_t n = 0;
  for (int64_t j = near.begin; j < near.end; ++j) {
    list[n] = static_cast<int32_t>(j);
    n += mask.at(j) ? 1 : 0;
  }
  return n;
}

// True if all queries of a batch entry see the same keys.
template <class Args>
WEFT_INLINE bool same_keys(const Args& args) {
  if (args.queries == 1) return true;
  const bool unlimited = args.band.behind >= args.queries && args.band.ahead >= args.keys;
  return (args.mask.allowed == nullptr || args.mask.row == 0) && unlimited;
}

// Scores of listed keys of query t with their bias.
template <class Args>
WEFT_INLINE void add_bias(const Args& args, int64_t b, int64_t t, const int32_t* list, int64_t n,
                          float* e) {
  if (args.bias.data == nullptr) return;
  const float* x = args.bias.data + b * args.bias.batch + t * args.bias.row;
  for (int64_t i = 0; i < n; ++i) e[i] += x[list[i] * args.bias.column];
}

// z[i]: what dropout makes of the weight of key list[i]. words: of all keys the query may see.
template <class Args>
WEFT_INLINE void draw_kept(const Args& args, int64_t b, int64_t t, const int32_t* list, int64_t n,
                           uint32_t* words, float* z) {
  if (n == 0) return;
  draw_words(args.dropout, b, 0, t, list[0], list[n - 1] + 1 - list[0], words);
  for (int64_t i = 0; i < n; ++i)
    z[i] = words[list[i] - list[0]] < args.dropout.threshold ? args.dropout.factor : 0;
}

// scale * va . tanh(q + k); the tanh go to h if Keeps; the row `ahead` is fetched meanwhile. One
// key at a time and out of line: the constants of tanh and the loop's values then just fit the 16
// registers, which is worth a fifth of the time.
template <bool Keeps, class T>
[[gnu::noinline]] float score(const float* q, const T* k, const float* va, int64_t hidden,
                              float scale, float* h, const T* ahead) {
  Vec total = splat(0);
  for_columns(hidden, [&](int64_t c, auto at) {
    __builtin_prefetch(ahead + c);
    const Vec t = tanh_open(at.get(q + c) + at.get(k + c));
    if (Keeps) at.put(h + c, t);
    total = fma(at.get(va + c), t, total);
  });
  return scale * sum(total);
}

// The same from e^2q and e^2k.
template <bool Keeps>
[[gnu::noinline]] float score_of_powers(const float* q, const float* k, const float* va,
                                        int64_t hidden, float scale, float* h) {
  Vec total = splat(0);
  for_columns(hidden, [&](int64_t c, auto at) {
    const Vec t = tanh_of_powers(at.get(q + c), at.get(k + c));
    if (Keeps) at.put(h + c, t);
    total = fma(at.get(va + c), t, total);
  });
  return scale * sum(total);
}

// Queries [t, ...) and keys of one batch entry, their powers where there are many queries.
template <class T>
class ScoredRows {
 public:
  template <class Args>
  ScoredRows(const Args& args, float* buffer)
      : va_(args.va),
        hidden_(args.hidden),
        scale_(args.scale),
        q_powers_(args.queries < kPowerQueries ? nullptr : buffer, kQueryBlock, args.hidden),
        k_powers_(args.queries < kPowerQueries ? nullptr
                                               : buffer + power_floats(kQueryBlock, args.hidden),
                  args.keys, args.hidden) {}

  template <class Args>
  void of(const Args& args, int64_t b, int64_t t, Range part) {
    q_ = args.q.data + b * args.q.batch + t * args.q.row, q_row_ = args.q.row;
    k_ = keys_of<T>(args, b), k_row_ = args.k.row;
    q_powers_.of(q_, q_row_, part);
    k_powers_.of(k_, k_row_, part);
  }
  template <class Args>
  void of(const Args& args, int64_t b, int64_t t) {
    of(args, b, t, {0, args.hidden});
  }

  // Of query t + i and key j; the next will be of key `next`.
  template <bool Keeps>
  float score(int64_t i, int64_t j, int64_t next, float* h) {
    const float *q = q_powers_.at(i), *k = q == nullptr ? nullptr : k_powers_.at(j);
    return k == nullptr ? kernels::WEFT_ISA::score<Keeps>(q_ + i * q_row_, k_ + j * k_row_, va_,
                                                          hidden_, scale_, h, k_ + next * k_row_)
                        : score_of_powers<Keeps>(q, k, va_, hidden_, scale_, h);
  }
  void scores(int64_t i, const int32_t* list, int64_t n, float* e) {
    for (int64_t j = 0; j < n; ++j)
      e[j] = score<false>(i, list[j], list[smaller(j + 1, n - 1)], nullptr);
  }
  void keep_tanh(int64_t i, int64_t j, float* h, Range columns) {
    const float *q = q_powers_.at(i), *k = q == nullptr ? nullptr : k_powers_.at(j);
    for_columns(columns.end - columns.begin, [&](int64_t x, auto at) {
      const int64_t c = columns.begin + x;
      at.put(h + c, k != nullptr
                        ? tanh_of_powers(at.get(q + c), at.get(k + c))
                        : tanh_open(at.get(q_ + i * q_row_ + c) + at.get(k_ + j * k_row_ + c)));
    });
  }

 private:
  const float* va_;
  int64_t hidden_;
  float scale_;
  const float* q_ = nullptr;
  const T* k_ = nullptr;
  int64_t q_row_ = 0, k_row_ = 0;
  Powers<float> q_powers_;
  Powers<T> k_powers_;
};

}  // namespace weft::onednn::kernels::WEFT_ISA
