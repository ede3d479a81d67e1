// backends/onednn/kernels/additive_attention.cpp -- v_a . tanh(q + k), softmax and weighted sum in
// one.
#include "backends/onednn/kernels/additive_attention.h"

#include "backends/onednn/kernels/additive_rows.h"
#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

#include <math.h>

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

// Scores to weights in place; returns their log-sum-exp.
float softmax(float* e, int64_t n) {
  if (n == 0) return -__builtin_inff();
  Vec top = -infinity();
  for (int64_t j = 0; j < n; j += kWidth) {
    const int64_t lanes = smaller(kWidth, n - j);
    top = maximum(select(first(lanes), load(e + j, lanes), -infinity()), top);
  }
  const float max = largest(top);
  if (max == -__builtin_inff()) {
    for_columns(n, [&](int64_t j, auto at) { at.put(e + j, splat(0)); });
    return max;
  }
  Vec total = splat(0);
  for (int64_t j = 0; j < n; j += kWidth) {
    const int64_t lanes = smaller(kWidth, n - j);
    const Vec x = select(first(lanes), load(e + j, lanes), -infinity());
    const Vec a = exp_negative(x - splat(max));
    store(e + j, a, lanes);
    total += a;
  }
  const float denominator = sum(total);
  const Vec factor = splat(1 / denominator);
  for_columns(n, [&](int64_t j, auto at) { at.put(e + j, at.get(e + j) * factor); });
  return max + logf(denominator);
}

// out[t] = sum_i a[t][i] v[list[i]] for Q queries and columns [begin, end), C vectors at a time.
template <int Q, int C, class T>
int64_t weigh(const float* a, int64_t ld_a, const T* v, int64_t v_row, const int32_t* list,
              int64_t n, float* out, int64_t out_row, Range columns) {
  int64_t c = columns.begin;
  for (; c + C * kWidth <= columns.end; c += C * kWidth) {
    Vec total[Q][C];
    for (int t = 0; t < Q; ++t)
      for (int i = 0; i < C; ++i) total[t][i] = splat(0);
    for (int64_t j = 0; j < n; ++j) {
      const T* row = v + list[j] * v_row + c;
#pragma GCC unroll 8
      for (int i = 0; i < C; ++i) {
        const Vec v_i = Full::get(row + i * kWidth);
#pragma GCC unroll 4
        for (int t = 0; t < Q; ++t) total[t][i] = fma(splat(a[t * ld_a + j]), v_i, total[t][i]);
      }
    }
    for (int t = 0; t < Q; ++t)
      for (int i = 0; i < C; ++i) store(out + t * out_row + c + i * kWidth, total[t][i]);
  }
  return c;
}

// out += sum_i a[i] v[list[i]] for N rows, while those of `ahead` are fetched.
template <int N, class T>
WEFT_INLINE void add_listed(const float* a, const T* v, int64_t v_row, const int32_t* list,
                            const int32_t* ahead, float* out, Range columns) {
  const T *rows[N], *next[N];
  Vec weight[N];
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i) {
    rows[i] = v + list[i] * v_row, next[i] = v + ahead[i] * v_row;
    weight[i] = splat(a[i]);
  }
  for_columns(columns.end - columns.begin, [&](int64_t x, auto at) {
    const int64_t c = columns.begin + x;
    Vec total = at.get(out + c);
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) {
      __builtin_prefetch(next[i] + c);
      total = fma(weight[i], at.get(rows[i] + c), total);
    }
    at.put(out + c, total);
  });
}

// The weighted sum for one query: some rows at a time from end to end, since few of its columns a
// row would leave the memory waiting.
template <class T>
void weigh_one(const float* a, const T* v, int64_t v_row, const int32_t* list, int64_t n,
               float* out, Range columns) {
  constexpr int64_t kRows = 4;
  for_columns(columns.end - columns.begin,
              [&](int64_t x, auto at) { at.put(out + columns.begin + x, splat(0)); });
  int64_t j = 0;
  for (; j + kRows <= n; j += kRows)
    add_listed<kRows>(a + j, v, v_row, list + j, list + smaller(j + kRows, n - kRows), out,
                      columns);
  for (; j < n; ++j) add_listed<1>(a + j, v, v_row, list + j, list + j, out, columns);
}

// The weighted sum for `queries` <= kQueryBlock queries with the same keys.
template <class T>
void weigh_block(const AdditiveAttention& args, int64_t queries, const float* a, int64_t ld_a,
                 const T* v, const int32_t* list, int64_t n, float* out, Range columns) {
  if (queries == kQueryBlock) {
    const int64_t done =
        weigh<kQueryBlock, 2>(a, ld_a, v, args.v.row, list, n, out, args.out.row, columns);
    columns.begin = done;
  }
  for (int64_t t = 0; t < queries && columns.begin < columns.end; ++t)
    weigh_one(a + t * ld_a, v, args.v.row, list, n, out + t * args.out.row, columns);
}

void put_weights(const AdditiveAttention& args, int64_t b, int64_t t, const int32_t* list,
                 int64_t n, const float* a, float lse) {
  if (args.lse.data != nullptr) args.lse.data[b * args.lse.batch + t * args.lse.row] = lse;
  if (args.weights.data == nullptr) return;
  float* row = args.weights.data + b * args.weights.batch + t * args.weights.row;
  for_columns(args.keys, [&](int64_t j, auto at) { at.put(row + j, splat(0)); });
  for (int64_t i = 0; i < n; ++i) row[list[i]] = a[i];
}

// The words come behind the list of keys.
void drop(const AdditiveAttention& args, int64_t b, int64_t t, int32_t* list, int64_t n, float* a) {
  if (!args.dropout.on || n == 0) return;
  auto* words = reinterpret_cast<uint32_t*>(list + listed(args));
  draw_words(args.dropout, b, 0, t, list[0], list[n - 1] + 1 - list[0], words);
  for (int64_t i = 0; i < n; ++i)
    a[i] = words[list[i] - list[0]] < args.dropout.threshold ? a[i] * args.dropout.factor : 0;
}

// One thread computes a block of queries from scores to sums.
template <class T>
void run_block(const AdditiveAttention& args, int64_t b, int64_t t0, int64_t queries, float* buffer,
               ScoredRows<T>& rows) {
  const int64_t ld = listed(args);
  auto* list = reinterpret_cast<int32_t*>(buffer + kQueryBlock * ld);
  const T* v = values_of<T>(args, b);
  rows.of(args, b, t0);
  float* out = args.out.data + b * args.out.batch;
  const Range all{0, args.width};
  const bool shared = same_keys(args);
  const int64_t step = shared ? queries : 1;
  for (int64_t i = 0; i < queries; i += step) {
    const int64_t n = list_keys(args, b, t0 + i, list);
    // Keys outside, queries inside: a key row then stays in the L1 cache.
    for (int64_t j = 0; j < n; ++j)
      for (int64_t t = i; t < i + step; ++t)
        buffer[t * ld + j] = rows.template score<false>(
            t, list[j], list[t + 1 < i + step ? j : smaller(j + 1, n - 1)], nullptr);
    for (int64_t t = i; t < i + step; ++t) {
      float* a = buffer + t * ld;
      add_bias(args, b, t0 + t, list, n, a);
      put_weights(args, b, t0 + t, list, n, a, softmax(a, n));
      drop(args, b, t0 + t, list, n, a);
    }
    weigh_block(args, step, buffer + i * ld, ld, v, list, n, out + (t0 + i) * args.out.row, all);
  }
}

// Few queries, many threads: the threads divide the keys, then the columns of the sum. Each of them
// repeats the softmax, which is small.
template <class T>
void run_divided(const AdditiveAttention& args, int64_t thread, int64_t threads, float* buffer,
                 float* scores, ScoredRows<T>& rows) {
  const int64_t ld = listed(args);
  auto* list = reinterpret_cast<int32_t*>(buffer + kQueryBlock * ld);
  for (int64_t b = 0; b < args.batch; ++b)
    for (int64_t t = 0; t < args.queries; ++t) {
      const Range mine = share(list_keys(args, b, t, list), thread, threads);
      rows.of(args, b, t / kQueryBlock * kQueryBlock);
      rows.scores(t % kQueryBlock, list + mine.begin, mine.end - mine.begin,
                  scores + (b * args.queries + t) * ld + mine.begin);
    }
  wait_for_team(threads);
  const Range slices = share(ceil_div(args.width, 16), thread, threads);
  const Range columns{slices.begin * 16, smaller(args.width, slices.end * 16)};
  for (int64_t b = 0; b < args.batch; ++b)
    for (int64_t t = 0; t < args.queries; ++t) {
      const int64_t n = list_keys(args, b, t, list);
      const float* row = scores + (b * args.queries + t) * ld;
      for (int64_t i = 0; i < n; ++i) buffer[i] = row[i];
      add_bias(args, b, t, list, n, buffer);
      const float lse = softmax(buffer, n);
      if (thread == 0) put_weights(args, b, t, list, n, buffer, lse);
      drop(args, b, t, list, n, buffer);
      weigh_block(args, 1, buffer, ld, values_of<T>(args, b), list, n,
                  args.out.data + b * args.out.batch + t * args.out.row, columns);
    }
}

template <class T>
void attend(const AdditiveAttention& args) {
  const int64_t blocks = query_blocks(args), units = args.batch * blocks;
  const int64_t work = args.batch * args.queries * most_within(args.band, 1, args.keys) *
                       (4 * args.hidden + args.width);
  auto* workspace = static_cast<float*>(args.workspace);
  parallel(work, [&](int64_t thread, int64_t threads) {
    float* buffer = workspace + shared_floats(args) + thread * thread_floats(args);
    ScoredRows<T> rows(args, buffer + thread_floats(args) - power_floats(args));
    if (units < threads && units < kSplitUnits)
      return run_divided(args, thread, threads, buffer, workspace, rows);
    const Range mine = share(units, thread, threads);
    for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
      const int64_t b = unit / blocks, t0 = unit % blocks * kQueryBlock;
      run_block(args, b, t0, smaller(kQueryBlock, args.queries - t0), buffer, rows);
    }
  });
}

}  // namespace

void additive_attention(const AdditiveAttention& args) {
  args.low.k != nullptr ? attend<uint16_t>(args) : attend<float>(args);
}

}  // namespace weft::onednn::kernels::WEFT_ISA
