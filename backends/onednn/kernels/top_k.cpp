// backends/onednn/kernels/top_k.cpp -- the greatest elements of every row, and where they stand.
#include "backends/onednn/kernels/top_k.h"

#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/math.h"
#include "backends/onednn/kernels/parallel.h"
#include "backends/onednn/kernels/top_k_parts.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

constexpr int64_t kTops = 4;                 // vectors of largest elements
constexpr int64_t kMaxima = kTops * kWidth;  // and their lanes
constexpr float kLog2E = 1.44269504F;

WEFT_INLINE bool beats(float a, float b) { return a > b || (a != a && b == b); }

// The best `k` seen so far, the least of them on top: a binary heap.
struct Heap {
  float* values;
  int32_t* indices;
  int64_t k, count = 0;

  void swap(int64_t a, int64_t b) const {
    const float v = values[a];
    const int32_t i = indices[a];
    values[a] = values[b], indices[a] = indices[b];
    values[b] = v, indices[b] = i;
  }
  bool less(int64_t a, int64_t b) const {
    if (beats(values[b], values[a])) return true;
    return !beats(values[a], values[b]) && indices[a] > indices[b];
  }
  void sift_down(int64_t at, int64_t end) const {
    for (int64_t child = 2 * at + 1; child < end; child = 2 * at + 1) {
      if (child + 1 < end && less(child + 1, child)) ++child;
      if (!less(child, at)) return;
      swap(at, child);
      at = child;
    }
  }
  // Elements are offered in the order of their indices: of equals the one that is there stays.
  void offer(float value, int32_t index) {
    if (count < k) {
      values[count] = value, indices[count] = index;
      if (++count == k)
        for (int64_t at = k / 2 - 1; at >= 0; --at) sift_down(at, k);
    } else if (beats(value, values[0])) {
      values[0] = value, indices[0] = index;
      sift_down(0, k);
    }
  }
  // The greatest first.
  void sort() const {
    if (count < k)
      for (int64_t at = count / 2 - 1; at >= 0; --at) sift_down(at, count);
    for (int64_t end = count - 1; end > 0; --end) {
      swap(0, end);
      sift_down(0, end);
    }
  }
};

// The largest of a chunk, a floor below which none of its best k lies, and whether it holds a NaN.
struct Look {
  float top, floor;
};

// The k-th largest of n values, k <= n.
float kth_largest(const float* x, int64_t n, int64_t k) {
  float best[kMaxima];  // the greatest first
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (count == k && !(x[i] > best[k - 1])) continue;
    int64_t at = count < k ? count++ : k - 1;
    for (; at > 0 && x[i] > best[at - 1]; --at) best[at] = best[at - 1];
    best[at] = x[i];
  }
  return best[k - 1];
}

// Every lane's largest is an element of its own: k of them leave no room below the k-th.
Look look_at(const float* x, int64_t n, int64_t k) {
  Vec top[kTops];
  for (Vec& t : top) t = -infinity();
  int64_t j = 0;
  for (; j + kTops * kWidth <= n; j += kTops * kWidth)
    for (int i = 0; i < kTops; ++i) top[i] = maximum(load(x + j + i * kWidth), top[i]);
  const int64_t whole = j;
  for (; j + kWidth <= n; j += kWidth) top[0] = maximum(load(x + j), top[0]);
  const Vec all = maximum(maximum(top[0], top[1]), maximum(top[2], top[3]));
  Look look{largest(all), -__builtin_inff()};
  for (; j < n; ++j) look.top = beats(x[j], look.top) ? x[j] : look.top;
  if (whole == 0 || k > kMaxima || look.top != look.top) return look;
  float maxima[kMaxima];
  const bool few = k <= kWidth;
  for (int i = 0; i < (few ? 1 : kTops); ++i) store(maxima + i * kWidth, few ? all : top[i]);
  look.floor = kth_largest(maxima, few ? kWidth : kMaxima, k);
  return look;
}

void offer_all(Heap& heap, const float* x, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; ++j) heap.offer(x[j], static_cast<int32_t>(j));
}

// Elements below the floor are none of the best; a chunk with a NaN is looked at one by one.
void offer_chunk(Heap& heap, const float* x, int64_t begin, int64_t end, const Look& look) {
  if (look.top != look.top) return offer_all(heap, x, begin, end);
  const auto offer = [&](int64_t j) {
    if (x[j] >= look.floor) heap.offer(x[j], static_cast<int32_t>(j));
  };
  // Of those that equal the least of a full heap none is wanted, of those that equal the floor all.
  const auto wanted = [&](int64_t j) {
    const Vec v = load(x + j);
    return heap.count < heap.k ? either(greater(v, splat(look.floor)), equal(v, splat(look.floor)))
                               : greater(v, splat(heap.values[0]));
  };
  int64_t j = begin;
  for (; j + 4 * kWidth <= end; j += 4 * kWidth) {
    if (!any(either(either(wanted(j), wanted(j + kWidth)),
                    either(wanted(j + 2 * kWidth), wanted(j + 3 * kWidth)))))
      continue;
    for (int64_t v = j; v < j + 4 * kWidth; v += kWidth)
      if (any(wanted(v)))
        for (int64_t i = v; i < v + kWidth; ++i) offer(i);
  }
  for (; j < end; ++j) offer(j);
}

// max x and sum exp(x - max) of a piece of a row; of nothing but -inf: (-inf, 0).
struct LogSum {
  float top = -__builtin_inff(), sum = 0;

  void add(const LogSum& b) {
    if (b.top == -__builtin_inff()) return;
    if (beats(b.top, top)) {
      sum = (top == -__builtin_inff() ? 0.0F : sum * expf(top - b.top)) + b.sum;
      top = b.top;
    } else {
      sum += b.sum * expf(b.top - top);
    }
  }
  // What is taken off x; NaN where x holds NaN or +inf.
  float value() const { return top == -__builtin_inff() ? 0.0F : top + logf(sum); }
};

LogSum log_sum(const float* x, int64_t n, float top) {
  if (top == -__builtin_inff()) return {};
  const Vec shift = splat(top), by = splat(kLog2E);
  Vec a = splat(0), b = splat(0);
  int64_t j = 0;
  for (; j + 2 * kWidth <= n; j += 2 * kWidth) {
    a += exp2_open((load(x + j) - shift) * by);
    b += exp2_open((load(x + j + kWidth) - shift) * by);
  }
  for (; j + kWidth <= n; j += kWidth) a += exp2_open((load(x + j) - shift) * by);
  if (j < n) a += exp2_open((select(first(n - j), load(x + j, n - j), -infinity()) - shift) * by);
  return {top, sum(a + b)};
}

void take_off(const LogSum& total, float* values, int32_t* indices, int64_t k) {
  const float lse = total.value();
  for (int64_t i = 0; i < k; ++i) {
    values[i] -= lse;
    if (lse != lse) indices[i] = static_cast<int32_t>(i);
  }
}

// Chunks [begin, end) of a row; each(chunk, its sum) in order.
template <class Each>
WEFT_INLINE void scan_chunks(const TopK& args, const float* x, int64_t begin, int64_t end,
                             Heap& heap, const Each& each) {
  for (int64_t c = begin; c < end; ++c) {
    const int64_t from = c * kTopKChunk;
    const int64_t to = from + kTopKChunk < args.n ? from + kTopKChunk : args.n;
    const Look look = look_at(x + from, to - from, args.k);
    if (heap.count < heap.k || beats(look.top, heap.values[0]))
      offer_chunk(heap, x, from, to, look);
    if (args.log_softmax) each(c, log_sum(x + from, to - from, look.top));
  }
}

void whole_row(const TopK& args, int64_t row, int64_t ld_x) {
  Heap heap{args.values + row * args.k, args.indices + row * args.k, args.k};
  LogSum total;
  scan_chunks(args, args.x + row * ld_x, 0, top_k_chunks(args), heap,
              [&](int64_t, const LogSum& s) { total.add(s); });
  heap.sort();
  if (args.log_softmax) take_off(total, heap.values, heap.indices, args.k);
}

// Where the parts of the rows leave what they found.
struct Parts {
  int64_t parts, chunks;
  float* values;     // [rows,parts,k]; fewer than k are there if the part is shorter
  int32_t* indices;  // [rows,parts,k]
  LogSum* sums;      // [rows,chunks]
};

Parts parts_of(const TopK& args, int64_t parts) {
  const int64_t count = top_k_candidates(args, parts);
  auto* const values = static_cast<float*>(args.workspace);
  auto* const indices = reinterpret_cast<int32_t*>(values + count);
  return {parts, top_k_chunks(args), values, indices, reinterpret_cast<LogSum*>(indices + count)};
}

void part_of_row(const TopK& args, const Parts& p, int64_t row, int64_t part, int64_t ld_x) {
  const int64_t at = (row * p.parts + part) * args.k;
  const Range chunks = share(p.chunks, part, p.parts);
  Heap heap{p.values + at, p.indices + at, args.k};
  scan_chunks(args, args.x + row * ld_x, chunks.begin, chunks.end, heap,
              [&](int64_t c, const LogSum& s) { p.sums[row * p.chunks + c] = s; });
  heap.sort();
  if (heap.count < args.k) p.indices[at + heap.count] = -1;
}

void merge_parts(const TopK& args, const Parts& p, int64_t row) {
  Heap heap{args.values + row * args.k, args.indices + row * args.k, args.k};
  for (int64_t part = 0; part < p.parts; ++part) {
    const int64_t at = (row * p.parts + part) * args.k;
    for (int64_t i = 0; i < args.k && p.indices[at + i] >= 0; ++i)
      heap.offer(p.values[at + i], p.indices[at + i]);
  }
  heap.sort();
  if (!args.log_softmax) return;
  LogSum total;
  for (int64_t c = 0; c < p.chunks; ++c) total.add(p.sums[row * p.chunks + c]);
  take_off(total, heap.values, heap.indices, args.k);
}

}  // namespace

void top_k(const TopK& args) {
  const int64_t ld_x = args.ld_x == 0 ? args.n : args.ld_x;
  const int64_t cost = args.n * (args.log_softmax ? 4 : 1);
  const int64_t parts = top_k_parts(args, omp_get_max_threads());
  if (parts == 1) {
    parallel_for(args.rows, cost, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) whole_row(args, row, ld_x);
    });
    return;
  }
  const Parts p = parts_of(args, parts);
  parallel(args.rows * cost, [&](int64_t thread, int64_t threads) {
    const Range mine = share(args.rows * parts, thread, threads);
    for (int64_t u = mine.begin; u < mine.end; ++u)
      part_of_row(args, p, u / parts, u % parts, ld_x);
    wait_for_team(threads);
    const Range rows = share(args.rows, thread, threads);
    for (int64_t row = rows.begin; row < rows.end; ++row) merge_parts(args, p, row);
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
