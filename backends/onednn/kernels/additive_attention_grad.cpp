// backends/onednn/kernels/additive_attention_grad.cpp -- the gradient of additive attention, one
// tanh a pair.
//
// The saved log-sum-exp makes every weight local: for a query and four keys, tanh is computed once,
// kept in the L1 cache, summed to the score, and read back for the gradients.
#include "backends/onednn/kernels/additive_attention.h"
#include "backends/onednn/kernels/additive_rows.h"
#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

#include <math.h>
#include <string.h>

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

float dot(const float* x, const float* y, int64_t n) {
  Vec total = splat(0);
  for_columns(n, [&](int64_t c, auto at) { total = fma(at.get(x + c), at.get(y + c), total); });
  return sum(total);
}

// y[i*ld_y] = x . rows[i] for a block of rows, so that x is loaded once.
template <int N, class T>
WEFT_INLINE void dot_rows(const T* x, const float* rows, int64_t ld_rows, int64_t n, float* y,
                          int64_t ld_y) {
  Vec total[N];
  for (int i = 0; i < N; ++i) total[i] = splat(0);
  for_columns(n, [&](int64_t c, auto at) {
    const Vec x_c = at.get(x + c);
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) total[i] = fma(x_c, at.get(rows + i * ld_rows + c), total[i]);
  });
  for (int i = 0; i < N; ++i) y[i * ld_y] = sum(total[i]);
}

// y[i] = x . v[list[i]] for N of the listed rows, while those of `ahead` are fetched.
template <int N, class T>
WEFT_INLINE void dot_listed(const float* x, const T* v, int64_t v_row, const int32_t* list,
                            const int32_t* ahead, int64_t n, float* y) {
  const T *rows[N], *next[N];
  Vec total[N];
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i) {
    rows[i] = v + list[i] * v_row, next[i] = v + ahead[i] * v_row;
    total[i] = splat(0);
  }
  for_columns(n, [&](int64_t c, auto at) {
    const Vec x_c = at.get(x + c);
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) {
      __builtin_prefetch(next[i] + c);
      total[i] = fma(x_c, at.get(rows[i] + c), total[i]);
    }
  });
  for (int i = 0; i < N; ++i) y[i] = sum(total[i]);
}

// Where the gradients of a group of keys go.
struct Sums {
  float* dq;   // without the factor va*scale
  float* dva;  // without the factor scale
  float* const* dk;
};

// From h = tanh of N keys and their ds, columns [begin, end):
//   dq += ds*(1-h^2)    dva += ds*h    dk[i] += scale*va*ds*(1-h^2)
template <int N, bool Q, bool A, bool K>
void add_group(const float* h, int64_t ld_h, const float* ds, const float* va, float scale,
               const Sums& to, Range columns) {
  // Copies, since a vector store might alias anything in memory.
  float *dq_to = to.dq, *dva_to = to.dva, *dk_to[N];
  Vec ds_i[N];
  for (int i = 0; i < N; ++i) ds_i[i] = splat(ds[i]), dk_to[i] = to.dk[i];
  for_columns(columns.end - columns.begin, [&](int64_t j, auto at) {
    const int64_t c = columns.begin + j;
    Vec dq = Q ? at.get(dq_to + c) : splat(0), dva = A ? at.get(dva_to + c) : splat(0);
    const Vec factor = K ? at.get(va + c) * splat(scale) : splat(0);
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) {
      const Vec h_i = at.get(h + i * ld_h + c);
      if (A) dva = fma(ds_i[i], h_i, dva);
      if (!Q && !K) continue;
      const Vec w = ds_i[i] * fnma(h_i, h_i, splat(1));
      if (Q) dq += w;
      if (K) at.put(dk_to[i] + c, fma(w, factor, at.get(dk_to[i] + c)));
    }
    if (Q) at.put(dq_to + c, dq);
    if (A) at.put(dva_to + c, dva);
  });
}

template <bool Q, bool A, bool K>
void add_keys(int64_t n, const float* h, int64_t ld_h, const float* ds, const float* va,
              float scale, const Sums& to, Range columns) {
  switch (n) {
    case 4:
      return add_group<4, Q, A, K>(h, ld_h, ds, va, scale, to, columns);
    case 3:
      return add_group<3, Q, A, K>(h, ld_h, ds, va, scale, to, columns);
    case 2:
      return add_group<2, Q, A, K>(h, ld_h, ds, va, scale, to, columns);
    default:
      return add_group<1, Q, A, K>(h, ld_h, ds, va, scale, to, columns);
  }
}

using AddKeys = void (*)(int64_t, const float*, int64_t, const float*, const float*, float,
                         const Sums&, Range);

AddKeys choose_add(bool q, bool a, bool k) {
  if (q)
    return a ? (k ? add_keys<true, true, true> : add_keys<true, true, false>)
             : (k ? add_keys<true, false, true> : add_keys<true, false, false>);
  return a ? (k ? add_keys<false, true, true> : add_keys<false, true, false>)
           : (k ? add_keys<false, false, true> : add_keys<false, false, false>);
}

// dv[list[j]] += sum_t a[t][j] * dout[t], columns [begin, end).
template <int Q>
void add_values(const AdditiveAttentionGrad& args, const float* a, int64_t ld_a,
                const int32_t* list, int64_t n, const float* dout, float* dv, Range columns) {
  const int64_t dout_row = args.dout.row;
  for (int64_t j = 0; j < n; ++j) {
    float* row = dv + list[j] * args.dv.row;
    Vec weight[Q];
    for (int t = 0; t < Q; ++t) weight[t] = splat(a[t * ld_a + j]);
    for_columns(columns.end - columns.begin, [&](int64_t i, auto at) {
      const int64_t c = columns.begin + i;
      Vec total = at.get(row + c);
#pragma GCC unroll 4
      for (int t = 0; t < Q; ++t) total = fma(weight[t], at.get(dout + t * dout_row + c), total);
      at.put(row + c, total);
    });
  }
}

// What makes weights of scores: a = exp(e - shift) * factor.
struct Weighing {
  float shift, factor;
};

// Consecutive queries of one batch entry that see the same keys.
struct Block {
  int64_t b, t, queries;
  const int32_t* list;
  int64_t keys;
};

template <class T>
class Gradient {
 public:
  Gradient(const AdditiveAttentionGrad& args, int64_t thread)
      : args_(args),
        ld_h_(padded(args.hidden)),
        ld_(listed(args)),
        step_(same_keys(args) ? kQueryBlock : 1),
        weighs_(args.dq.data != nullptr || args.dk.data != nullptr || args.dva != nullptr ||
                args.ds.data != nullptr),
        add_(choose_add(args.dq.data != nullptr, args.dva != nullptr, args.dk.data != nullptr)),
        rows_(args, static_cast<float*>(args.workspace) + shared_floats(args) +
                        (thread + 1) * thread_floats(args) - power_floats(args)) {
    auto* workspace = static_cast<float*>(args.workspace);
    dva_ = workspace;
    shared_a_ = workspace + args.batch * ld_h_;
    shared_ds_ = shared_a_ + args.batch * args.queries * ld_;
    h_ = workspace + shared_floats(args) + thread * thread_floats(args);
    dq_ = h_ + kKeyGroup * ld_h_;
    a_ = dq_ + kQueryBlock * ld_h_;
    ds_ = a_ + kQueryBlock * ld_;
    list_ = reinterpret_cast<int32_t*>(ds_ + kQueryBlock * ld_);
    words_ = reinterpret_cast<uint32_t*>(list_ + ld_);
    z_ = reinterpret_cast<float*>(words_ + ld_);
  }

  int64_t blocks() const { return ceil_div(args_.queries, step_); }

  // All queries of one batch entry.
  void run_entry(int64_t b) {
    const Range hidden{0, args_.hidden}, width{0, args_.width};
    clear(b, hidden, width);
    const int64_t queries = args_.dq.data == nullptr ? wanted_queries(b) : args_.queries;
    for (int64_t n = 0; n < ceil_div(queries, step_); ++n) {
      const Block block = block_at(b, n);
      run_block(block);
      if (args_.dv.data != nullptr) add_dv(block, a_, width);
    }
  }

  // dq alone needs no sums over queries: any block by itself.
  void run_dq(int64_t b, int64_t n) { run_block(block_at(b, n)); }

  // Divided, first half: weights and ds of one block.
  void weigh_block(int64_t b, int64_t n) {
    const Block block = block_at(b, n);
    const int64_t at = (b * args_.queries + block.t) * ld_;
    float *a = shared_a_ + at, *ds = shared_ds_ + at;
    float term[kQueryBlock];
    start(block, a, ds, term);
    for (int64_t t = 0; t < block.queries; ++t) {
      rows_.scores(first_row(block) + t, block.list, block.keys, a + t * ld_);
      weigh(block, t, 0, block.keys, term[t], a + t * ld_, ds + t * ld_);
    }
  }

  // Divided, second half: some columns of everything. Sums run in the same order as in run_block.
  void run_columns(Range hidden, Range width) {
    for (int64_t b = 0; b < args_.batch; ++b) {
      clear(b, hidden, width);
      for (int64_t n = 0; n < blocks(); ++n) {
        const Block block = block_at(b, n);
        const int64_t at = (b * args_.queries + block.t) * ld_;
        if (weighs_) add_columns(block, shared_ds_ + at, hidden);
        if (args_.dv.data != nullptr) add_dv(block, shared_a_ + at, width);
      }
    }
  }

  void finish_dva(Range columns) const {
    for_columns(columns.end - columns.begin, [&](int64_t j, auto at) {
      const int64_t c = columns.begin + j;
      Vec total = splat(0);
      for (int64_t b = 0; b < args_.batch; ++b) total += at.get(dva_ + b * ld_h_ + c);
      const Vec before = args_.accumulate_dva ? at.get(args_.dva + c) : splat(0);
      at.put(args_.dva + c, fma(total, splat(args_.scale), before));
    });
  }

 private:
  Block block_at(int64_t b, int64_t n) {
    const int64_t t = n * step_;
    return {b, t, smaller(step_, args_.queries - t), list_, list_keys(args_, b, t, list_)};
  }

  // Without those at the end that nothing comes back from, as from steps behind a sequence's end:
  // they add nothing to dk, dv and dva.
  int64_t wanted_queries(int64_t b) const {
    int64_t n = args_.queries;
    const Block all{b, 0, n, nullptr, 0};
    while (n > 0 && is_zero(dout(all) + (n - 1) * args_.dout.row, args_.width) &&
           (args_.dweights.data == nullptr || is_zero(dweights(all, n - 1), args_.keys)))
      --n;
    return n;
  }
  static bool is_zero(const float* x, int64_t n) {
    for (int64_t i = 0; i < n; ++i)
      if (x[i] != 0) return false;
    return true;
  }

  // Of a block's queries among those of rows_, which come by kQueryBlock.
  static int64_t first_row(const Block& block) { return block.t % kQueryBlock; }

  float lse(const Block& block, int64_t t) const {
    return args_.lse.data[block.b * args_.lse.batch + (block.t + t) * args_.lse.row];
  }
  const float* dout(const Block& block) const {
    return args_.dout.data + block.b * args_.dout.batch + block.t * args_.dout.row;
  }
  const float* dweights(const Block& block, int64_t t) const {
    return args_.dweights.data + block.b * args_.dweights.batch +
           (block.t + t) * args_.dweights.row;
  }
  float* ds_row(const Block& block, int64_t t) const {
    return args_.ds.data + block.b * args_.ds.batch + (block.t + t) * args_.ds.row;
  }

  static void zero(float* p, Range columns) {
    memset(p + columns.begin, 0, (size_t)larger(0, columns.end - columns.begin) * sizeof(float));
  }

  void clear(int64_t b, Range hidden, Range width) const {
    if (args_.dva != nullptr) zero(dva_ + b * ld_h_, hidden);
    for (int64_t j = 0; j < args_.keys; ++j) {
      if (args_.dk.data != nullptr)
        zero(args_.dk.data + b * args_.dk.batch + j * args_.dk.row, hidden);
      if (args_.dv.data != nullptr)
        zero(args_.dv.data + b * args_.dv.batch + j * args_.dv.row, width);
    }
  }

  // da = G.v[j] into ds, and the term that softmax subtracts, G.out. With dweights W the term has
  // sum a*W too, which costs a pass over the scores of its own.
  void start(const Block& block, float* a, float* ds, float* term) {
    rows_.of(args_, block.b, block.t - first_row(block));
    for (int64_t t = 0; t < block.queries && args_.ds.data != nullptr; ++t)
      zero(ds_row(block, t), {0, args_.keys});
    for (int64_t t = 0; t < block.queries && args_.dropout.on; ++t)
      draw_kept(args_, block.b, block.t + t, block.list, block.keys, words_, z_ + t * ld_);
    for (int64_t t = 0; t < block.queries; ++t) weighings_[t] = weighing(block, t, a + t * ld_);
    if (!weighs_) return;
    const float* g = dout(block);
    const T* v = values_of<T>(args_, block.b);
    if (block.queries == kQueryBlock) {
      for (int64_t i = 0; i < block.keys; ++i)
        dot_rows<kQueryBlock>(v + block.list[i] * args_.v.row, g, args_.dout.row, args_.width,
                              ds + i, ld_);
    } else {
      for (int64_t t = 0; t < block.queries; ++t)
        dot_keys(block, g + t * args_.dout.row, v, ds + t * ld_);
    }
    for (int64_t t = 0; t < block.queries && args_.dropout.on; ++t)
      times(ds + t * ld_, z_ + t * ld_, block.keys);
    for (int64_t t = 0; t < block.queries; ++t) {
      const float* out = args_.out.data + block.b * args_.out.batch + (block.t + t) * args_.out.row;
      term[t] = dot(g + t * args_.dout.row, out, args_.width);
      if (args_.dweights.data != nullptr) term[t] += weighted_term(block, t, a + t * ld_);
    }
  }

  void dot_keys(const Block& block, const float* g, const T* v, float* y) const {
    int64_t i = 0;
    for (; i + kKeyGroup <= block.keys; i += kKeyGroup)
      dot_listed<kKeyGroup>(g, v, args_.v.row, block.list + i,
                            block.list + smaller(i + kKeyGroup, block.keys - kKeyGroup),
                            args_.width, y + i);
    for (; i < block.keys; ++i)
      dot_listed<1>(g, v, args_.v.row, block.list + i, block.list + i, args_.width, y + i);
  }

  static void times(float* x, const float* y, int64_t n) {
    for_columns(n, [&](int64_t j, auto at) { at.put(x + j, at.get(x + j) * at.get(y + j)); });
  }

  float weighted_term(const Block& block, int64_t t, float* a) {
    const float* w = dweights(block, t);
    score(block, t, a);
    to_weights(a, block.keys, weighings_[t]);
    float term = 0;
    for (int64_t i = 0; i < block.keys; ++i) term += a[i] * w[block.list[i]];
    return term;
  }

  void score(const Block& block, int64_t t, float* e) {
    rows_.scores(first_row(block) + t, block.list, block.keys, e);
    add_bias(args_, block.b, block.t + t, block.list, block.keys, e);
  }

  // Beyond kExactLse rounding has taken too much of the sum's logarithm from the log-sum-exp: the
  // row is summed up again.
  Weighing weighing(const Block& block, int64_t t, float* e) {
    constexpr float kExactLse = 64, kNothing = -__builtin_inff();
    const float from = lse(block, t);
    if (__builtin_fabsf(from) <= kExactLse) return {from, 1};
    if (from == kNothing) return {0, 0};
    score(block, t, e);
    float top = kNothing, total = 0;
    for (int64_t i = 0; i < block.keys; ++i) top = e[i] > top || e[i] != e[i] ? e[i] : top;
    for (int64_t i = 0; i < block.keys; ++i) total += expf(e[i] - top);
    return {top, 1 / total};
  }

  static void to_weights(float* e, int64_t n, const Weighing& w) {
    if (w.factor == 0) return zero(e, {0, n});
    const Vec shift = splat(w.shift), factor = splat(w.factor);
    for_columns(n, [&](int64_t j, auto at) { at.put(e + j, exp(at.get(e + j) - shift) * factor); });
  }

  // Scores of the keys [begin, end) of query t to weights, their da to ds.
  void weigh(const Block& block, int64_t t, int64_t begin, int64_t end, float term, float* a,
             float* ds) const {
    add_bias(args_, block.b, block.t + t, block.list + begin, end - begin, a + begin);
    to_weights(a + begin, end - begin, weighings_[t]);
    if (weighs_) {
      const float* w = args_.dweights.data == nullptr ? nullptr : dweights(block, t);
      for (int64_t i = begin; i < end; ++i)
        ds[i] = a[i] * (ds[i] + (w == nullptr ? 0 : w[block.list[i]]) - term);
    }
    if (args_.ds.data != nullptr) {
      float* y = ds_row(block, t);
      for (int64_t i = begin; i < end; ++i) y[block.list[i]] = ds[i];
    }
    if (args_.dropout.on) times(a + begin, z_ + t * ld_ + begin, end - begin);
  }

  void run_block(const Block& block) {
    const Range all{0, args_.hidden};
    float term[kQueryBlock];
    start(block, a_, ds_, term);
    for (int64_t t = 0; t < block.queries; ++t) zero(dq_ + t * ld_h_, all);
    for (int64_t i = 0; i < block.keys; i += kKeyGroup) {
      const int64_t end = smaller(block.keys, i + kKeyGroup);
      for (int64_t t = 0; t < block.queries; ++t) {
        float *a = a_ + t * ld_, *ds = ds_ + t * ld_;
        for (int64_t j = i; j < end; ++j)
          a[j] = rows_.template score<true>(first_row(block) + t, block.list[j],
                                            block.list[smaller(j + 1, block.keys - 1)],
                                            h_ + (j - i) * ld_h_);
        weigh(block, t, i, end, term[t], a, ds);
        if (weighs_) add(block, t, i, end, ds, all);
      }
    }
    put_dq(block, all);
  }

  // As run_block, but ds is known and only some columns are ours.
  void add_columns(const Block& block, const float* ds, Range columns) {
    rows_.of(args_, block.b, block.t - first_row(block), columns);
    for (int64_t t = 0; t < block.queries; ++t) zero(dq_ + t * ld_h_, columns);
    for (int64_t i = 0; i < block.keys; i += kKeyGroup) {
      const int64_t end = smaller(block.keys, i + kKeyGroup);
      for (int64_t t = 0; t < block.queries; ++t) {
        for (int64_t j = i; j < end; ++j)
          rows_.keep_tanh(first_row(block) + t, block.list[j], h_ + (j - i) * ld_h_, columns);
        add(block, t, i, end, ds + t * ld_, columns);
      }
    }
    put_dq(block, columns);
  }

  void add(const Block& block, int64_t t, int64_t begin, int64_t end, const float* ds,
           Range columns) {
    float* dk[kKeyGroup] = {};
    for (int64_t i = begin; i < end && args_.dk.data != nullptr; ++i)
      dk[i - begin] = args_.dk.data + block.b * args_.dk.batch + block.list[i] * args_.dk.row;
    const Sums to{dq_ + t * ld_h_, dva_ + block.b * ld_h_, dk};
    add_(end - begin, h_, ld_h_, ds + begin, args_.va, args_.scale, to, columns);
  }

  void put_dq(const Block& block, Range columns) const {
    for (int64_t t = 0; t < block.queries && args_.dq.data != nullptr; ++t) {
      float* y = args_.dq.data + block.b * args_.dq.batch + (block.t + t) * args_.dq.row;
      const float* sum = dq_ + t * ld_h_;
      for_columns(columns.end - columns.begin, [&](int64_t j, auto at) {
        const int64_t c = columns.begin + j;
        at.put(y + c, at.get(sum + c) * (at.get(args_.va + c) * splat(args_.scale)));
      });
    }
  }

  void add_dv(const Block& block, const float* a, Range columns) const {
    const float* g = dout(block);
    float* dv = args_.dv.data + block.b * args_.dv.batch;
    if (block.queries == kQueryBlock)
      return add_values<kQueryBlock>(args_, a, ld_, block.list, block.keys, g, dv, columns);
    for (int64_t t = 0; t < block.queries; ++t)
      add_values<1>(args_, a + t * ld_, ld_, block.list, block.keys, g + t * args_.dout.row, dv,
                    columns);
  }

  const AdditiveAttentionGrad& args_;
  int64_t ld_h_, ld_, step_;
  bool weighs_;
  AddKeys add_;
  float *dva_, *shared_a_, *shared_ds_, *h_, *dq_, *a_, *ds_;
  int32_t* list_;
  uint32_t* words_;
  ScoredRows<T> rows_;
  Weighing weighings_[kQueryBlock];  // of a block of queries
  float* z_;                         // what dropout keeps, of a block of queries
};

// The thread's share of n columns, in whole cache lines.
Range share_columns(int64_t n, int64_t thread, int64_t threads) {
  const Range lines = share(ceil_div(n, 16), thread, threads);
  return {lines.begin * 16, smaller(n, lines.end * 16)};
}

template <class T>
void differentiate(const AdditiveAttentionGrad& args) {
  const bool dq_only = args.dk.data == nullptr && args.dv.data == nullptr && args.dva == nullptr;
  const int64_t work = args.batch * args.queries * most_within(args.band, 1, args.keys) *
                       (6 * args.hidden + 2 * args.width);
  parallel(work, [&](int64_t thread, int64_t threads) {
    Gradient<T> gradient(args, thread);
    const int64_t blocks = gradient.blocks(), units = args.batch * blocks;
    const Range mine = share(units, thread, threads);
    if (dq_only && units >= threads) {
      for (int64_t i = mine.begin; i < mine.end; ++i) gradient.run_dq(i / blocks, i % blocks);
      return;
    }
    if (args.batch < threads && args.batch < kSplitBatch) {
      for (int64_t i = mine.begin; i < mine.end; ++i) gradient.weigh_block(i / blocks, i % blocks);
      wait_for_team(threads);
      gradient.run_columns(share_columns(args.hidden, thread, threads),
                           share_columns(args.width, thread, threads));
    } else {
      // In turns, since entries in the order of their lengths are not equal work.
      for (int64_t b = thread; b < args.batch; b += threads) gradient.run_entry(b);
    }
    if (args.dva == nullptr) return;
    wait_for_team(threads);
    gradient.finish_dva(share_columns(args.hidden, thread, threads));
  });
}

}  // namespace

void additive_attention_grad(const AdditiveAttentionGrad& args) {
  args.low.k != nullptr ? differentiate<uint16_t>(args) : differentiate<float>(args);
}

}  // namespace weft::onednn::kernels::WEFT_ISA
