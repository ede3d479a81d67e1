// backends/onednn/kernels/additive_attention_grad.cpp -- the gradient of additive attention, one tanh an element.
//
// The saved log-sum-exp makes every weight local: for a query and four keys, tanh is computed once,
// kept in the L1 cache, summed to the score, and read back for the gradients.
#include <math.h>
#include <string.h>

#include "backends/onednn/kernels/additive_attention.h"
#include "backends/onednn/kernels/additive_rows.h"
#include "backends/onednn/kernels/kernel_list.h"
#include "backends/onednn/kernels/parallel.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

float dot(const float* x, const float* y, int64_t n) {
  Vec total = splat(0);
  for_columns(n, [&](int64_t c, auto at) { total = fma(at.get(x + c), at.get(y + c), total); });
  return sum(total);
}

// y[i] = x . rows[i]
template <int N>
WEFT_INLINE void dot_group(const float* x, const float* const* rows, int64_t n, float* y) {
  Vec total[N];
  for (int i = 0; i < N; ++i) total[i] = splat(0);
  for_columns(n, [&](int64_t c, auto at) {
    const Vec x_c = at.get(x + c);
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) total[i] = fma(x_c, at.get(rows[i] + c), total[i]);
  });
  for (int i = 0; i < N; ++i) y[i] = sum(total[i]);
}

void dot_rows(const float* x, const float* const* rows, int64_t count, int64_t n, float* y) {
  if (count == 4) return dot_group<4>(x, rows, n, y);
  for (int64_t i = 0; i < count; ++i) dot_group<1>(x, rows + i, n, y + i);
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
void add_group(const float* h, int64_t ld_h, const float* ds, const float* va, float scale, const Sums& to,
               Range columns) {
  Vec ds_i[N];
  for (int i = 0; i < N; ++i) ds_i[i] = splat(ds[i]);
  for_columns(columns.end - columns.begin, [&](int64_t j, auto at) {
    const int64_t c = columns.begin + j;
    Vec dq = Q ? at.get(to.dq + c) : splat(0), dva = A ? at.get(to.dva + c) : splat(0);
    const Vec factor = K ? at.get(va + c) * splat(scale) : splat(0);
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) {
      const Vec h_i = at.get(h + i * ld_h + c);
      if (A) dva = fma(ds_i[i], h_i, dva);
      if (!Q && !K) continue;
      const Vec w = ds_i[i] * fnma(h_i, h_i, splat(1));
      if (Q) dq += w;
      if (K) at.put(to.dk[i] + c, fma(w, factor, at.get(to.dk[i] + c)));
    }
    if (Q) at.put(to.dq + c, dq);
    if (A) at.put(to.dva + c, dva);
  });
}

template <bool Q, bool A, bool K>
void add_keys(int64_t n, const float* h, int64_t ld_h, const float* ds, const float* va, float scale,
              const Sums& to, Range columns) {
  switch (n) {
    case 4: return add_group<4, Q, A, K>(h, ld_h, ds, va, scale, to, columns);
    case 3: return add_group<3, Q, A, K>(h, ld_h, ds, va, scale, to, columns);
    case 2: return add_group<2, Q, A, K>(h, ld_h, ds, va, scale, to, columns);
    default: return add_group<1, Q, A, K>(h, ld_h, ds, va, scale, to, columns);
  }
}

using AddKeys = void (*)(int64_t, const float*, int64_t, const float*, const float*, float, const Sums&, Range);

AddKeys choose_add(bool q, bool a, bool k) {
  if (q) return a ? (k ? add_keys<true, true, true> : add_keys<true, true, false>)
                  : (k ? add_keys<true, false, true> : add_keys<true, false, false>);
  return a ? (k ? add_keys<false, true, true> : add_keys<false, true, false>)
           : (k ? add_keys<false, false, true> : add_keys<false, false, false>);
}

// dv[list[j]] += sum_t a[t][j] * dout[t], columns [begin, end).
template <int Q>
void add_values(const AdditiveAttentionGrad& args, const float* a, int64_t ld_a, const int32_t* list, int64_t n,
                const float* dout, float* dv, Range columns) {
  for (int64_t j = 0; j < n; ++j) {
    float* row = dv + list[j] * args.dv_row;
    for_columns(columns.end - columns.begin, [&](int64_t i, auto at) {
      const int64_t c = columns.begin + i;
      Vec total = at.get(row + c);
#pragma GCC unroll 4
      for (int t = 0; t < Q; ++t)
        total = fma(splat(a[t * ld_a + j]), at.get(dout + t * args.dout_row + c), total);
      at.put(row + c, total);
    });
  }
}

// Everything about one query row but where the results go.
struct Query {
  int64_t b, t;
  const float *q, *k, *v, *dout;
  float lse;
  const int32_t* list;
  int64_t n;
  bool weighs;    // dq, dk or dva is wanted
};

class Gradient {
 public:
  Gradient(const AdditiveAttentionGrad& args, int64_t thread)
      : args_(args), ld_h_(padded(args.hidden)), ld_(padded(args.keys)),
        add_(choose_add(args.dq != nullptr, args.dva != nullptr, args.dk != nullptr)) {
    auto* workspace = static_cast<float*>(args.workspace);
    dva_ = workspace;
    shared_a_ = workspace + args.batch * ld_h_;
    shared_ds_ = shared_a_ + args.batch * args.queries * ld_;
    h_ = workspace + shared_floats(args) + thread * thread_floats(args);
    dq_ = h_ + kKeyGroup * ld_h_;
    a_ = dq_ + ld_h_;
    ds_ = a_ + kQueryBlock * ld_;
    list_ = reinterpret_cast<int32_t*>(ds_ + ld_);
  }

  // All queries of one batch entry.
  void run_entry(int64_t b) {
    const Range hidden{0, args_.hidden}, width{0, args_.width};
    clear(b, hidden, width);
    int64_t n = 0;
    const bool same = same_keys(args_);
    const int64_t step = same ? kQueryBlock : 1;
    for (int64_t t0 = 0; t0 < args_.queries; t0 += step) {
      const int64_t queries = smaller(step, args_.queries - t0);
      if (t0 == 0 || !same) n = list_keys(args_, b, t0, list_);
      for (int64_t i = 0; i < queries; ++i) run_query(query(b, t0 + i, n), a_ + i * ld_);
      if (args_.dv != nullptr) add_dv(b, t0, queries, a_, ld_, n, width);
    }
  }

  // dq alone needs no sums over queries: any rows (b, t).
  void run_row(int64_t b, int64_t t) {
    run_query(query(b, t, list_keys(args_, b, t, list_)), a_);
  }

  // Divided, first half: weights and ds of some rows.
  void weigh_row(int64_t b, int64_t t) {
    const Query row = query(b, t, list_keys(args_, b, t, list_));
    weights(row, shared_a_ + (b * args_.queries + t) * ld_, shared_ds_ + (b * args_.queries + t) * ld_);
  }

  // Divided, second half: some columns of all rows. Sums run in the same order as in run_entry.
  void run_columns(Range hidden, Range width) {
    for (int64_t b = 0; b < args_.batch; ++b) {
      clear(b, hidden, width);
      for (int64_t t = 0; t < args_.queries; ++t) {
        const Query row = query(b, t, list_keys(args_, b, t, list_));
        const int64_t at = (b * args_.queries + t) * ld_;
        if (row.weighs) add_columns(row, shared_ds_ + at, hidden);
        if (args_.dv != nullptr) add_dv(b, t, 1, shared_a_ + at, ld_, row.n, width);
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
  Query query(int64_t b, int64_t t, int64_t n) const {
    const bool weighs = args_.dq != nullptr || args_.dk != nullptr || args_.dva != nullptr;
    return {b, t, args_.q + b * args_.q_batch + t * args_.q_row, args_.k + b * args_.k_batch,
            args_.v + b * args_.v_batch, args_.dout + b * args_.dout_batch + t * args_.dout_row,
            args_.lse[b * args_.lse_batch + t * args_.lse_row], list_, n, weighs};
  }

  void clear(int64_t b, Range hidden, Range width) {
    const auto zero = [](float* p, Range columns) {
      memset(p + columns.begin, 0, (size_t)(columns.end - columns.begin) * sizeof(float));
    };
    if (args_.dva != nullptr) zero(dva_ + b * ld_h_, hidden);
    for (int64_t j = 0; j < args_.keys; ++j) {
      if (args_.dk != nullptr && !args_.accumulate_dk) zero(args_.dk + b * args_.dk_batch + j * args_.dk_row, hidden);
      if (args_.dv != nullptr && !args_.accumulate_dv) zero(args_.dv + b * args_.dv_batch + j * args_.dv_row, width);
    }
  }

  // G.out, and with dweights W also sum a*W, which costs a pass over the scores of its own.
  float row_term(const Query& row, float* a) const {
    float term = dot(row.dout, args_.out + row.b * args_.out_batch + row.t * args_.out_row, args_.width);
    if (args_.dweights == nullptr) return term;
    const float* w = args_.dweights + row.b * args_.dweights_batch + row.t * args_.dweights_row;
    score_row(args_, row.q, row.k, row.list, row.n, a);
    to_weights(a, row.n, row.lse);
    for (int64_t i = 0; i < row.n; ++i) term += a[i] * w[row.list[i]];
    return term;
  }

  static void to_weights(float* e, int64_t n, float lse) {
    for_columns(n, [&](int64_t j, auto at) { at.put(e + j, exp(at.get(e + j) - splat(lse))); });
  }

  // ds of a group from its weights.
  void group_ds(const Query& row, int64_t i, int64_t group, float term, const float* a, float* ds) const {
    const float* rows[kKeyGroup];
    point_at(row.v, args_.v_row, row.list + i, group, rows);
    dot_rows(row.dout, rows, group, args_.width, ds);
    for (int64_t g = 0; g < group; ++g) {
      float da = ds[g];
      if (args_.dweights != nullptr)
        da += args_.dweights[row.b * args_.dweights_batch + row.t * args_.dweights_row + row.list[i + g]];
      ds[g] = a[g] * (da - term);
    }
  }

  void weights(const Query& row, float* a, float* ds) const {
    if (row.lse == -__builtin_inff()) {
      memset(a, 0, (size_t)row.n * sizeof(float));
      memset(ds, 0, (size_t)row.n * sizeof(float));
      return;
    }
    const float term = row.weighs ? row_term(row, a) : 0;
    score_row(args_, row.q, row.k, row.list, row.n, a);
    to_weights(a, row.n, row.lse);
    for (int64_t i = 0; i < row.n && row.weighs; i += kKeyGroup)
      group_ds(row, i, smaller(kKeyGroup, row.n - i), term, a + i, ds + i);
  }

  void run_query(const Query& row, float* a) {
    if (row.lse == -__builtin_inff() || !row.weighs) {
      weights(row, a, ds_);
      if (args_.dq != nullptr) zero_dq({0, args_.hidden}), put_dq(row, {0, args_.hidden});
      return;
    }
    const Range all{0, args_.hidden};
    if (args_.dq != nullptr) zero_dq(all);
    const float term = row_term(row, a);
    for (int64_t i = 0; i < row.n; i += kKeyGroup) {
      const int64_t group = smaller(kKeyGroup, row.n - i);
      const float* rows[kKeyGroup];
      point_at(row.k, args_.k_row, row.list + i, group, rows);
      score_keys<true>(group, row.q, rows, args_.va, args_.hidden, args_.scale, a + i, h_, ld_h_);
      to_weights(a + i, group, row.lse);
      group_ds(row, i, group, term, a + i, ds_ + i);
      add(row, i, group, ds_, all);
    }
    if (args_.dq != nullptr) put_dq(row, all);
  }

  void add(const Query& row, int64_t i, int64_t group, const float* ds, Range columns) {
    float* dk[kKeyGroup] = {};
    for (int64_t g = 0; g < group && args_.dk != nullptr; ++g)
      dk[g] = args_.dk + row.b * args_.dk_batch + row.list[i + g] * args_.dk_row;
    add_(group, h_, ld_h_, ds + i, args_.va, args_.scale, {dq_, dva_ + row.b * ld_h_, dk}, columns);
  }

  // As run_query, but ds is known and only some columns are ours.
  void add_columns(const Query& row, const float* ds, Range columns) {
    if (args_.dq != nullptr) zero_dq(columns);
    for (int64_t i = 0; i < row.n; i += kKeyGroup) {
      const int64_t group = smaller(kKeyGroup, row.n - i);
      for (int64_t g = 0; g < group; ++g) {
        const float *q = row.q + columns.begin, *k = row.k + row.list[i + g] * args_.k_row + columns.begin;
        float* h = h_ + g * ld_h_ + columns.begin;
        for_columns(columns.end - columns.begin,
                    [&](int64_t c, auto at) { at.put(h + c, tanh_open(at.get(q + c) + at.get(k + c))); });
      }
      add(row, i, group, ds, columns);
    }
    if (args_.dq != nullptr) put_dq(row, columns);
  }

  void zero_dq(Range columns) {
    for_columns(columns.end - columns.begin, [&](int64_t c, auto at) { at.put(dq_ + columns.begin + c, splat(0)); });
  }
  void put_dq(const Query& row, Range columns) const {
    float* y = args_.dq + row.b * args_.dq_batch + row.t * args_.dq_row;
    for_columns(columns.end - columns.begin, [&](int64_t j, auto at) {
      const int64_t c = columns.begin + j;
      const Vec before = args_.accumulate_dq ? at.get(y + c) : splat(0);
      at.put(y + c, fma(at.get(dq_ + c), at.get(args_.va + c) * splat(args_.scale), before));
    });
  }

  void add_dv(int64_t b, int64_t t, int64_t queries, const float* a, int64_t ld_a, int64_t n, Range columns) const {
    const float* dout = args_.dout + b * args_.dout_batch + t * args_.dout_row;
    float* dv = args_.dv + b * args_.dv_batch;
    if (queries == kQueryBlock) return add_values<kQueryBlock>(args_, a, ld_a, list_, n, dout, dv, columns);
    for (int64_t i = 0; i < queries; ++i)
      add_values<1>(args_, a + i * ld_a, ld_a, list_, n, dout + i * args_.dout_row, dv, columns);
  }

  const AdditiveAttentionGrad& args_;
  int64_t ld_h_, ld_;
  AddKeys add_;
  float *dva_, *shared_a_, *shared_ds_, *h_, *dq_, *a_, *ds_;
  int32_t* list_;
};

// The thread's share of n columns, in whole cache lines.
Range share_columns(int64_t n, int64_t thread, int64_t threads) {
  const Range lines = share(ceil_div(n, 16), thread, threads);
  return {lines.begin * 16, smaller(n, lines.end * 16)};
}

}  // namespace

void additive_attention_grad(const AdditiveAttentionGrad& args) {
  const bool rows_only = args.dk == nullptr && args.dv == nullptr && args.dva == nullptr;
  const int64_t rows = args.batch * args.queries;
  parallel(rows * args.keys * (6 * args.hidden + 2 * args.width), [&](int64_t thread, int64_t threads) {
    Gradient gradient(args, thread);
    if (rows_only && rows >= threads) {
      const Range mine = share(rows, thread, threads);
      for (int64_t r = mine.begin; r < mine.end; ++r) gradient.run_row(r / args.queries, r % args.queries);
      return;
    }
    if (args.batch < threads && args.batch < kSplitBatch) {
      const Range mine = share(rows, thread, threads);
      for (int64_t r = mine.begin; r < mine.end; ++r) gradient.weigh_row(r / args.queries, r % args.queries);
      wait_for_team(threads);
      gradient.run_columns(share_columns(args.hidden, thread, threads), share_columns(args.width, thread, threads));
    } else {
      const Range mine = share(args.batch, thread, threads);
      for (int64_t b = mine.begin; b < mine.end; ++b) gradient.run_entry(b);
    }
    if (args.dva == nullptr) return;
    wait_for_team(threads);
    gradient.finish_dva(share_columns(args.hidden, thread, threads));
  });
}

}  // namespace weft::onednn::kernels::WEFT_ISA
