// backends/onednn/kernels/dot_attention_grad.cpp -- the gradient of dot attention; weights are
// computed again from lse, a tile at a time.
#include "backends/onednn/kernels/dot_attention.h"
#include "backends/onednn/kernels/dot_attention_rows.h"
#include "backends/onednn/kernels/dot_attention_scores.h"
#include "backends/onednn/kernels/kernel_list.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

void clear_rows(const Heads<float>& x, int64_t b, int64_t h, Range rows, int64_t columns) {
  for (int64_t t = rows.begin; t < rows.end && x.data != nullptr; ++t)
    memset(row_of(x, b, h, t), 0, (size_t)columns * sizeof(float));
}

class Gradient {
 public:
  Gradient(const DotAttentionGrad& args, float* workspace)
      : args_(args), ld_d_(padded_row(args.hidden)), ld_e_(padded_row(args.width)) {
    scored_ = args.dq.data != nullptr || args.dk.data != nullptr || args.dbias.data != nullptr;
    qt_ = workspace;
    gt_ = qt_ + kTileQueries * args.hidden;
    q_ = gt_ + kTileQueries * args.width;
    dq_ = q_ + kTileQueries * ld_d_;
    g_ = dq_ + kTileQueries * ld_d_;
    keys_ = g_ + kTileQueries * ld_e_;
    a_ = keys_ + kTileKeys * (ld_d_ + ld_e_);
    ds_ = a_ + kTileQueries * kTileKeys;
    lse_ = ds_ + kTileQueries * kTileKeys;
    term_ = lse_ + kTileQueries;
    factor_ = term_ + kTileQueries;
    z_ = factor_ + kTileQueries;
  }

  // What ranges [first, last) of a head's keys give to dk, dv, dbias and, one sum added to the other,
  // to dq.
  void run(int64_t b, int64_t h, int64_t first, int64_t last, float* dq, int64_t ld_dq) {
    const int64_t queries = queries_of(args_, b);
    all_ = seen_keys(args_, b, h, 0, queries);
    for (int64_t range = first; range < last; ++range) clear_keys(b, h, range_of(b, range));
    for (int64_t t = 0; t < queries; t += kTileQueries) {
      const Block block{b, h, t, smaller(kTileQueries, queries - t)};
      float* to = dq == nullptr ? nullptr : dq + t * ld_dq;
      bool summed = false;
      for (int64_t range = first; range < last; ++range) {
        const Range keys = range_of(b, range);
        const Range near =
            near_of(block, {larger(all_.begin, keys.begin), smaller(all_.end, keys.end)});
        if (near.begin >= near.end) continue;
        summed ? clear_sums(block) : start(block);
        for (int64_t j = near.begin; j < near.end; j += kTileKeys) {
          fetch_keys(b, h, j + kTileKeys, near.end);
          step(block, j, smaller(kTileKeys, near.end - j));
        }
        if (to != nullptr) put_sums(block, summed, to, ld_dq);
        summed = true;
      }
      for (int64_t i = 0; i < block.queries && to != nullptr && !summed; ++i)
        memset(to + i * ld_dq, 0, (size_t)args_.hidden * sizeof(float));
    }
  }

 private:
  struct Block {
    int64_t b, h, t, queries;
  };
  static Panel panel(const Block& block, int64_t i) {
    return {block.b, block.h, block.t + i, smaller(kLanes, block.queries - i)};
  }

  // In whole blocks, counted from the sentence's first key; the last has what nobody sees, too.
  Range range_of(int64_t b, int64_t range) const {
    const int64_t rows = keys_of(args_, b), ranges = key_ranges(args_, all_.end);
    if (range >= ranges) return {rows, rows};
    const Range mine = share(ceil_div(all_.end, kTileKeys), range, ranges);
    return {mine.begin * kTileKeys, range + 1 == ranges ? rows : mine.end * kTileKeys};
  }

  void clear_keys(int64_t b, int64_t h, Range keys) const {
    clear_rows(args_.dk, b, h, keys, args_.hidden);
    clear_rows(args_.dv, b, h, keys, args_.width);
  }

  void clear_sums(const Block& block) {
    memset(dq_, 0, (size_t)(block.queries * ld_d_) * sizeof(float));
  }
  void put_sums(const Block& block, bool add, float* to, int64_t ld) const {
    if (!add) return copy_rows(dq_, ld_d_, block.queries, args_.hidden, {nullptr, 0}, 0, to, ld);
    for (int64_t i = 0; i < block.queries; ++i)
      for_columns(args_.hidden, [&](int64_t c, auto at) {
        at.put(to + i * ld + c, at.get(to + i * ld + c) + at.get(dq_ + i * ld_d_ + c));
      });
  }

  // Of the keys `seen`, those that some query of a block may see by the band.
  Range near_of(const Block& block, Range seen) const {
    const Keys near = within(args_.band, block.t, block.queries, seen.end);
    return {larger(seen.begin, near.begin), near.end};
  }

  void fetch_keys(int64_t b, int64_t h, int64_t j, int64_t end) const {
    const int64_t n = smaller(kTileKeys, end - j);
    fetch(args_.k, args_.low.k, b, h, j, n, args_.hidden);
    fetch(args_.v, args_.low.v, b, h, j, n, args_.width);
    if (args_.dk.data != nullptr) fetch(args_.dk, b, h, j, n, args_.hidden);
    if (args_.dv.data != nullptr) fetch(args_.dv, b, h, j, n, args_.width);
  }

  // Queries and G as rows and transposed; lse and terms. Lanes without a query get weights of 0.
  void start(const Block& block) {
    const float* g = row_of(args_.dout, block.b, block.h, block.t);
    fetch(args_.out, args_.low.out, block.b, block.h, block.t, block.queries, args_.width);
    if (args_.low.q != nullptr)
      copy_rows(low_row_of(args_.low.q, args_.q, block.b, block.h, block.t), args_.q.row,
                block.queries, args_.hidden, {nullptr, 0}, 0, q_, ld_d_);
    else
      copy_rows(row_of(args_.q, block.b, block.h, block.t), args_.q.row, block.queries,
                args_.hidden, {nullptr, 0}, 0, q_, ld_d_);
    copy_rows(g, args_.dout.row, block.queries, args_.width, {nullptr, 0}, 0, g_, ld_e_);
    clear_sums(block);
    for (int64_t i = 0; i < block.queries; i += kLanes) {
      const int64_t n = smaller(kLanes, block.queries - i);
      put_transposed(q_ + i * ld_d_, ld_d_, n, args_.hidden, args_.scale * kLog2E,
                     qt_ + i * args_.hidden);
      put_transposed(g_ + i * ld_e_, ld_e_, n, args_.width, 1, gt_ + i * args_.width);
    }
    summed_again_ = false;
    for (int64_t t = 0; t < kTileQueries; ++t) {
      const float lse =
          t < block.queries ? *row_of(args_.lse, block.b, block.h, block.t + t) : -__builtin_inff();
      const bool hidden = lse == -__builtin_inff();
      lse_[t] = hidden ? __builtin_inff() : lse * kLog2E;
      summed_again_ |= !hidden && !is_exact(lse);
      term_[t] = 0;
      if (t >= block.queries || !scored_) continue;
      term_[t] = args_.low.out != nullptr
                     ? dot_g(t, low_row_of(args_.low.out, args_.out, block.b, block.h, block.t + t))
                     : dot_g(t, row_of(args_.out, block.b, block.h, block.t + t));
    }
    for (int64_t t = 0; t < block.queries && scored_ && args_.dlse.data != nullptr; ++t)
      term_[t] -= *row_of(args_.dlse, block.b, block.h, block.t + t);
    if (summed_again_) sum_up(block);
    if (scored_ && args_.dweights.data != nullptr) add_weighted_terms(block);
  }

  // G[t] . out
  template <class T>
  float dot_g(int64_t t, const T* out) const {
    Vec total = splat(0);
    for_columns(args_.width, [&](int64_t c, auto at) {
      total = fma(at.get(g_ + t * ld_e_ + c), at.get(out + c), total);
    });
    return sum(total);
  }

  // The largest score of each query to lse, the inverse of the sum of powers relative to it to
  // factor: a pass over the keys of its own, for scores too large for lse to tell both.
  void sum_up(const Block& block) {
    for (int64_t t = 0; t < kTileQueries; ++t) lse_[t] = -__builtin_inff(), factor_[t] = 0;
    const Range near = near_of(block, all_);
    for (int64_t j = near.begin; j < near.end; j += kTileKeys) {
      const KeyBlock keys =
          key_block(args_, block.b, block.h, j, smaller(kTileKeys, near.end - j), keys_);
      for (int64_t i = 0; i < block.queries; i += kLanes) {
        if (!score(panel(block, i), i, keys)) continue;
        for (int64_t l = i; l < i + kLanes; l += kWidth)
          raise(a_ + l, keys.n, lse_ + l, factor_ + l);
      }
    }
    for (int64_t t = 0; t < kTileQueries; t += kWidth) {
      const Vec top = load(lse_ + t), total = load(factor_ + t);
      const Bits hidden = equal(top, -infinity());
      store(lse_ + t, select(hidden, infinity(), top));
      store(factor_ + t, select(hidden, splat(0), splat(1) / total));
    }
  }
  static void raise(const float* e, int64_t n, float* top, float* total) {
    Vec most = load(top);
    for (int64_t j = 0; j < n; ++j) most = maximum(load(e + j * kTileQueries), most);
    const Vec shift = select(equal(most, -infinity()), splat(0), most);
    Vec all = load(total) * exp2_open(load(top) - shift);
    for (int64_t j = 0; j < n; ++j) all += exp2_open(load(e + j * kTileQueries) - shift);
    store(top, most);
    store(total, all);
  }

  // term += sum over all keys of a*W: a pass over the keys of its own.
  void add_weighted_terms(const Block& block) {
    const Range near = near_of(block, all_);
    for (int64_t j = near.begin; j < near.end; j += kTileKeys) {
      const KeyBlock keys =
          key_block(args_, block.b, block.h, j, smaller(kTileKeys, near.end - j), keys_);
      for (int64_t i = 0; i < block.queries; i += kLanes) {
        const Panel p = panel(block, i);
        if (!weigh(p, i, keys)) continue;
        for (int64_t t = 0; t < p.queries; ++t) {
          const float* w = row_of(args_.dweights, p.b, p.h, p.t + t) + keys.j;
          for (int64_t c = 0; c < keys.n; ++c) term_[i + t] += a_[c * kTileQueries + i + t] * w[c];
        }
      }
    }
  }

  // Scores of a panel's queries, columns [i, i+kLanes) of the tile; false if it may see nothing.
  bool score(const Panel& p, int64_t i, const KeyBlock& keys) {
    float* a = a_ + i;
    if (cut(keys, args_.band, p.t, p.queries).n == 0) {
      for (int64_t l = 0; l < kLanes; l += kWidth) clear(a + l, keys.n);
      return false;
    }
    multiply_panel<false>(keys.n, args_.hidden, {keys.k, keys.ld_k, 1}, qt_ + i * args_.hidden,
                          kLanes, a, kTileQueries);
    add_bias(args_.bias, p, keys, a, kTileQueries);
    return hide(args_, p, keys, a, kTileQueries);
  }
  // Weights; zeros if it may see nothing.
  bool weigh(const Panel& p, int64_t i, const KeyBlock& keys) {
    const bool seen = score(p, i, keys);
    float* a = a_ + i;
    for (int64_t l = 0; l < kLanes; l += kWidth) {
      seen ? to_weights(a + l, keys.n, load(lse_ + i + l)) : clear(a + l, keys.n);
      if (seen && summed_again_) times(a + l, load(factor_ + i + l), keys.n);
    }
    // What is hidden stays so in a row of NaN.
    if (seen && summed_again_) hide(args_, p, keys, a, kTileQueries, 0);
    return seen;
  }

  // Loops over the rows of one vector of a tile, in functions so that nothing is read anew because
  // of stores that might alias it.
  static void to_weights(float* e, int64_t n, Vec lse) {
    for (int64_t j = 0; j < n; ++j)
      store(e + j * kTileQueries, exp2_open(load(e + j * kTileQueries) - lse));
  }
  static void clear(float* e, int64_t n) {
    for (int64_t j = 0; j < n; ++j) store(e + j * kTileQueries, splat(0));
  }
  static void to_slopes(float* x, const float* a, int64_t n, Vec term, Vec scale) {
    for (int64_t j = 0; j < n; ++j) {
      const Vec a_j = load(a + j * kTileQueries);
      const Vec ds = a_j * (load(x + j * kTileQueries) - term) * scale;
      // A weight of 0 hides what it would multiply, NaN included.
      store(x + j * kTileQueries, select(equal(a_j, splat(0)), splat(0), ds));
    }
  }
  static void times(float* x, const float* y, int64_t n) {
    for (int64_t j = 0; j < n; ++j)
      store(x + j * kTileQueries, load(x + j * kTileQueries) * load(y + j * kTileQueries));
  }
  static void times(float* x, Vec by, int64_t n) {
    for (int64_t j = 0; j < n; ++j) store(x + j * kTileQueries, load(x + j * kTileQueries) * by);
  }

  // ds = a*(z*dp + W - term), the weights to z*a.
  void slope(const Panel& p, int64_t i, const KeyBlock& keys) {
    float* ds = ds_ + i;
    if (scored_)
      multiply_panel<false>(keys.n, args_.width, {keys.v, keys.ld_v, 1}, gt_ + i * args_.width,
                            kLanes, ds, kTileQueries);
    const bool drops = args_.dropout.on;
    float *a = a_ + i, *z = z_ + i;
    if (drops) draw_tile(args_.dropout, p, keys.j, keys.n, z, kTileQueries);
    for (int64_t l = 0; l < kLanes && drops && scored_; l += kWidth) times(ds + l, z + l, keys.n);
    if (scored_ && args_.dweights.data != nullptr)
      add_transposed<false>(row_of(args_.dweights, p.b, p.h, p.t) + keys.j, args_.dweights.row,
                            p.queries, keys.n, ds, kTileQueries);
    // dbias is not scaled; everything else is.
    const bool biased = args_.dbias.data != nullptr;
    const Vec scale = splat(biased ? 1 : args_.scale);
    for (int64_t l = 0; l < kLanes; l += kWidth) {
      if (scored_) to_slopes(ds + l, a + l, keys.n, load(term_ + i + l), scale);
      if (drops) times(a + l, z + l, keys.n);
    }
    if (!biased) return;
    add_to_bias(p, keys, ds);
    for (int64_t l = 0; l < kLanes; l += kWidth) times(ds + l, splat(args_.scale), keys.n);
  }

  void add_to_bias(const Panel& p, const KeyBlock& keys, const float* ds) const {
    const BiasGrad& bias = args_.dbias;
    float* y =
        bias.data + p.b * bias.batch + p.h * bias.head + p.t * bias.row + keys.j * bias.column;
    if (bias.row <= 0 || bias.column != 1) {
      for (int64_t j = 0; j < keys.n; ++j)
        for (int64_t t = 0; t < p.queries; ++t)
          y[t * bias.row + j * bias.column] += ds[j * kTileQueries + t];
      return;
    }
    for (int64_t t = 0; t < p.queries; t += 8)
      for (int64_t j = 0; j < keys.n; j += 8) {
        const int64_t rows = p.queries - t, columns = keys.n - j;
        const Square s =
            transposed(load_square(ds + j * kTileQueries + t, kTileQueries, columns, 8));
        Square sum = load_square(y + t * bias.row + j, bias.row, rows, columns);
        for (int i = 0; i < 8; ++i) sum.row[i] = _mm256_add_ps(sum.row[i], s.row[i]);
        store_square(y + t * bias.row + j, bias.row, rows, columns, sum);
      }
  }

  // One tile: all five products.
  void step(const Block& block, int64_t j, int64_t n) {
    const KeyBlock keys = key_block(args_, block.b, block.h, j, n, keys_);
    bool any = false;
    for (int64_t i = 0; i < block.queries; i += kLanes) {
      const Panel p = panel(block, i);
      if (!weigh(p, i, keys)) {
        for (int64_t c = 0; c < n; ++c)
          memset(ds_ + i + c * kTileQueries, 0, kLanes * sizeof(float));
        continue;
      }
      any = true;
      slope(p, i, keys);
    }
    if (!any) return;
    const Matrix a{a_, kTileQueries, 1}, ds{ds_, kTileQueries, 1}, ds_t{ds_, 1, kTileQueries};
    if (args_.dv.data != nullptr)
      multiply_add(n, args_.width, block.queries, a, g_, ld_e_,
                   row_of(args_.dv, block.b, block.h, j), args_.dv.row);
    if (args_.dk.data != nullptr)
      multiply_add(n, args_.hidden, block.queries, ds, q_, ld_d_,
                   row_of(args_.dk, block.b, block.h, j), args_.dk.row);
    if (args_.dq.data != nullptr)
      multiply_add(block.queries, args_.hidden, n, ds_t, keys.k, keys.ld_k, dq_, ld_d_);
  }

  const DotAttentionGrad& args_;
  const int64_t ld_d_, ld_e_;
  bool scored_;          // is anything wanted that needs ds
  Range all_{0, 0};      // keys seen by this head
  float *qt_, *gt_;      // by panel, [columns][kLanes]: queries, G
  float *q_, *dq_, *g_;  // rows of the block of queries
  float* keys_;          // a block of keys and values, copied
  float *a_, *ds_, *z_;  // tiles [keys][kTileQueries]
  float *lse_, *term_;   // by query
  float* factor_;        // of the weights, by query, where sums are made again
  bool summed_again_ = false;
};

// The units of work: heads whose dbias is the same are one, so that nobody else adds to it.
struct Units {
  int64_t batch, heads, ranges;      // units
  int64_t inner_batch, inner_heads;  // done by one unit, one after the other

  explicit Units(const DotAttentionGrad& args) : ranges(ranges_apart(args)) {
    const bool all_entries = args.dbias.data != nullptr && args.dbias.batch == 0;
    const bool all_heads = args.dbias.data != nullptr && args.dbias.head == 0;
    batch = all_entries ? 1 : args.batch, inner_batch = all_entries ? args.batch : 1;
    heads = all_heads ? 1 : args.heads, inner_heads = all_heads ? args.heads : 1;
  }
  int64_t count() const { return batch * heads * ranges; }
};

// Sums of a range but the first, whose go to dq itself.
float* partial_dq(const DotAttentionGrad& args, int64_t b, int64_t h, int64_t range) {
  return static_cast<float*>(args.workspace) +
         ((b * args.heads + h) * (ranges_apart(args) - 1) + range - 1) * args.queries *
             padded_row(args.hidden);
}

// All of a head, or one of its ranges.
void run_head(const DotAttentionGrad& args, Gradient& gradient, float* buffer, int64_t b, int64_t h,
              int64_t range, int64_t ranges) {
  float* dq = nullptr;
  int64_t ld = args.dq.row;
  if (args.dq.data != nullptr) {
    dq = row_of(args.dq, b, h, 0);
    if (range > 0) dq = partial_dq(args, b, h, range), ld = padded_row(args.hidden);
  }
  if (few_queries(args)) {
    const Range keys{0, keys_of(args, b)};
    clear_rows(args.dk, b, h, keys, args.hidden);
    clear_rows(args.dv, b, h, keys, args.width);
    dot_attention_grad_rows(args, b, h, keys, dq, ld, buffer);
  } else if (ranges > 1) {
    gradient.run(b, h, range, range + 1, dq, ld);
  } else {
    gradient.run(b, h, 0, kMostRanges, dq, ld);
  }
}

void add_partial_dq(const DotAttentionGrad& args, int64_t row, int64_t ranges) {
  const int64_t b = row / args.queries / args.heads, h = row / args.queries % args.heads,
                t = row % args.queries, ld = padded_row(args.hidden);
  if (t >= queries_of(args, b)) return;
  float* y = row_of(args.dq, b, h, t);
  for_columns(args.hidden, [&](int64_t c, auto at) {
    Vec total = at.get(y + c);
    for (int64_t r = 1; r < ranges; ++r) total += at.get(partial_dq(args, b, h, r) + t * ld + c);
    at.put(y + c, total);
  });
}

}  // namespace

void dot_attention_grad(const DotAttentionGrad& args) {
  const Units units(args);
  const int64_t rows = args.batch * args.heads * args.queries;
  int64_t next = 0;
  const int64_t keys = most_within(args.band, smaller(args.queries, kTileQueries), args.keys);
  parallel(rows * keys * 2 * (args.hidden + args.width), [&](int64_t thread, int64_t threads) {
    float* buffer =
        static_cast<float*>(args.workspace) + shared_floats(args) + thread * thread_floats(args);
    Gradient gradient(args, buffer);
    take_units(&next, units.count(), [&](int64_t unit) {
      const int64_t range = unit % units.ranges, head = unit / units.ranges;
      for (int64_t i = 0; i < units.inner_batch; ++i)
        for (int64_t j = 0; j < units.inner_heads; ++j)
          run_head(args, gradient, buffer, units.inner_batch > 1 ? i : head / units.heads,
                   units.inner_heads > 1 ? j : head % units.heads, range, units.ranges);
    });
    if (args.dq.data == nullptr || units.ranges == 1) return;
    wait_for_team(threads);
    const Range mine = share(rows, thread, threads);
    for (int64_t row = mine.begin; row < mine.end; ++row) add_partial_dq(args, row, units.ranges);
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
