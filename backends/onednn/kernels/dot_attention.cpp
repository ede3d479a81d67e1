// backends/onednn/kernels/dot_attention.cpp -- dot-product attention, a block of queries against a
// block of keys at a time.
#include "backends/onednn/kernels/dot_attention.h"

#include "backends/onednn/kernels/dot_attention_rows.h"
#include "backends/onednn/kernels/dot_attention_scores.h"
#include "backends/onednn/kernels/kernel_list.h"

#include <math.h>

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

class Forward {
 public:
  Forward(const DotAttention& args, int64_t thread) : args_(args) {
    q_ = static_cast<float*>(args.workspace) + shared_floats(args) + thread * thread_floats(args);
    o_ = q_ + kTileQueries * args.hidden;
    top_ = o_ + kTileQueries * args.width;
    sum_ = top_ + kTileQueries;
    e_ = sum_ + kTileQueries;
    z_ = e_ + kForwardKeys * kLaneLimit;
    keys_ = z_ + (args.dropout.on ? kForwardKeys * kLaneLimit : 0);
  }

  // Queries [t, t+queries) of one head.
  void run(int64_t b, int64_t h, int64_t t, int64_t queries) {
    fetch(args_.q, args_.low.q, b, h, t, queries, args_.hidden);
    const Keys near = within(args_.band, t, queries, keys_of(args_, b));
    const int64_t first = smaller(kForwardKeys, near.end - near.begin);
    fetch(args_.k, args_.low.k, b, h, near.begin, first, args_.hidden);
    fetch(args_.v, args_.low.v, b, h, near.begin, first, args_.width);
    fetch(args_.out, b, h, t, queries, args_.width);
    for (int64_t i = 0; i < queries; i += kLanes) start(panel(b, h, t, queries, i), i);
    const Range seen = seen_keys(args_, b, h, t, queries);
    for (int64_t j = seen.begin / kForwardKeys * kForwardKeys; j < seen.end; j += kForwardKeys) {
      const KeyBlock block = block_at(b, h, j, seen);
      for (int64_t i = 0; i < queries; i += kLanes) attend(panel(b, h, t, queries, i), i, block);
    }
    for (int64_t i = 0; i < queries; i += kLanes) finish(panel(b, h, t, queries, i), i);
    if (args_.weights.data == nullptr) return;
    for (int64_t i = 0; i < queries; ++i)
      memset(row_of(args_.weights, b, h, t + i), 0, (size_t)args_.keys * sizeof(float));
    for (int64_t j = seen.begin / kForwardKeys * kForwardKeys; j < seen.end; j += kForwardKeys) {
      const KeyBlock block = block_at(b, h, j, seen);
      for (int64_t i = 0; i < queries; i += kLanes)
        put_weights(panel(b, h, t, queries, i), i, block);
    }
  }

 private:
  static Panel panel(int64_t b, int64_t h, int64_t t, int64_t queries, int64_t i) {
    return {b, h, t + i, smaller(kLanes, queries - i)};
  }
  KeyBlock block_at(int64_t b, int64_t h, int64_t j, Range seen) {
    const int64_t begin = larger(j, seen.begin), end = smaller(j + kForwardKeys, seen.end);
    return key_block(args_, b, h, begin, end - begin, keys_);
  }

  void start(const Panel& p, int64_t i) {
    const auto put = [&](const auto* q) {
      put_transposed(q, args_.q.row, p.queries, args_.hidden, args_.scale * kLog2E,
                     q_ + i * args_.hidden);
    };
    if (args_.low.q != nullptr)
      put(low_row_of(args_.low.q, args_.q, p.b, p.h, p.t));
    else
      put(row_of(args_.q, p.b, p.h, p.t));
    memset(o_ + i * args_.width, 0, (size_t)(args_.width * kLanes) * sizeof(float));
    for (int64_t l = i; l < i + kLanes; l += kWidth) {
      store(top_ + l, -infinity());
      store(sum_ + l, splat(0));
    }
  }

  // e = keys . queries, biased and masked; false if nothing may be seen.
  bool scores(const Panel& p, int64_t i, KeyBlock& block) {
    block = cut(block, args_.band, p.t, p.queries);
    if (block.n == 0) return false;
    multiply_panel<false>(block.n, args_.hidden, {block.k, block.ld_k, 1}, q_ + i * args_.hidden,
                          kLanes, e_, kLanes);
    add_bias(args_.bias, p, block, e_, kLanes);
    return hide(args_, p, block, e_, kLanes);
  }

  void attend(const Panel& p, int64_t i, KeyBlock block) {
    if (!scores(p, i, block)) return;
    float* o = o_ + i * args_.width;
    Pair top = load_pair(top_ + i);
    const Pair old = top;
    raise(e_, block.n, top);
    const Pair shift = shift_of(top);
    const Pair total = to_powers(e_, block.n, shift);
    const Pair fade{exp2_open(old.a - shift.a), exp2_open(old.b - shift.b)},
        sum = load_pair(sum_ + i);
    store_pair(sum_ + i, {fma(sum.a, fade.a, total.a), fma(sum.b, fade.b, total.b)});
    store_pair(top_ + i, top);
    if (args_.dropout.on) {
      draw_tile(args_.dropout, p, block.j, block.n, z_, kLanes);
      times(e_, z_, block.n);
    }
    if (any(either(greater(top.a, old.a), greater(top.b, old.b)))) times(o, fade, args_.width);
    multiply_panel<true>(args_.width, block.n, {block.v, 1, block.ld_v}, e_, kLanes, o, kLanes);
  }

  // A row of a panel: two vectors, worked on together so that the latency of one hides behind the
  // other.
  struct Pair {
    Vec a, b;
  };
  static Pair load_pair(const float* x) { return {load(x), load(x + kWidth)}; }
  static void store_pair(float* x, Pair y) {
    store(x, y.a);
    store(x + kWidth, y.b);
  }
  static Pair shift_of(Pair top) {
    return {select(equal(top.a, -infinity()), splat(0), top.a),
            select(equal(top.b, -infinity()), splat(0), top.b)};
  }

  static void raise(const float* e, int64_t n, Pair& top) {
    Pair other = top;
    int64_t j = 0;
    for (; j + 2 <= n; j += 2) {
      const Pair x = load_pair(e + j * kLanes), y = load_pair(e + (j + 1) * kLanes);
      top = {max(x.a, top.a), max(x.b, top.b)};
      other = {max(y.a, other.a), max(y.b, other.b)};
    }
    if (j < n) {
      const Pair x = load_pair(e + j * kLanes);
      top = {max(x.a, top.a), max(x.b, top.b)};
    }
    top = {max(top.a, other.a), max(top.b, other.b)};
  }
  // e to 2^(e - shift); returns the sums. Out of line: constants stay in registers.
  [[gnu::noinline]] static Pair to_powers(float* e, int64_t n, Pair shift) {
    Pair total{splat(0), splat(0)};
    for (int64_t j = 0; j < n; ++j) {
      const Pair x = load_pair(e + j * kLanes);
      const Pair a{exp2_open(x.a - shift.a), exp2_open(x.b - shift.b)};
      store_pair(e + j * kLanes, a);
      total = {total.a + a.a, total.b + a.b};
    }
    return total;
  }
  static void times(float* x, const float* y, int64_t n) {
    for (int64_t j = 0; j < n * kLanes; j += kWidth) store(x + j, load(x + j) * load(y + j));
  }
  static void times(float* x, Pair by, int64_t n) {
    for (int64_t j = 0; j < n; ++j) {
      const Pair y = load_pair(x + j * kLanes);
      store_pair(x + j * kLanes, {y.a * by.a, y.b * by.b});
    }
  }

  // Sums to results: divided and turned back into rows. What put_weights needs stays in `sum_`.
  void finish(const Panel& p, int64_t i) {
    for (int64_t l = i; l < i + kLanes; l += kWidth) {
      const Vec sum = load(sum_ + l);
      store(sum_ + l, select(equal(sum, splat(0)), splat(0), splat(1) / sum));
      if (args_.lse.data == nullptr) continue;
      const Vec lse = load(top_ + l) * splat(kLn2) + log(sum);
      for (int64_t t = 0; t < kWidth && l - i + t < p.queries; ++t)
        *row_of(args_.lse, p.b, p.h, p.t + l - i + t) = lse[t];
    }
    take_transposed(o_ + i * args_.width, kLanes, p.queries, args_.width, sum_ + i,
                    row_of(args_.out, p.b, p.h, p.t), args_.out.row);
  }

  void put_weights(const Panel& p, int64_t i, KeyBlock block) {
    if (!scores(p, i, block)) return;
    to_powers(e_, block.n, shift_of(load_pair(top_ + i)));
    take_transposed(e_, kLanes, p.queries, block.n, sum_ + i,
                    row_of(args_.weights, p.b, p.h, p.t) + block.j, args_.weights.row);
  }

  const DotAttention& args_;
  float *q_, *o_;      // by panel, [columns][kLanes]: queries; sums of values
  float *top_, *sum_;  // of the scores so far, by query
  float *e_, *z_;      // a tile
  float* keys_;        // a block of keys and values, copied
};

}  // namespace

void dot_attention(const DotAttention& args) {
  if (few_queries(args)) return dot_attention_rows(args);
  const int64_t size = query_block(args), blocks = ceil_div(args.queries, size);
  const int64_t units = args.batch * args.heads * blocks;
  int64_t next = 0;
  const int64_t keys = most_within(args.band, size, args.keys);
  parallel(units * size * keys * (args.hidden + args.width), [&](int64_t thread, int64_t) {
    Forward forward(args, thread);
    // Late blocks of a causal attention have the most keys: they come first.
    take_units(&next, units, [&](int64_t unit) {
      const int64_t head = unit / blocks, t = (blocks - 1 - unit % blocks) * size,
                    b = head / args.heads, queries = smaller(size, queries_of(args, b) - t);
      if (queries > 0) forward.run(b, head % args.heads, t, queries);
    });
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
