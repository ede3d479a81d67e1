// backends/onednn/kernels/dot_attention_rows.cpp -- dot attention of few queries, one at a time.
#include "backends/onednn/kernels/dot_attention_rows.h"

#include "backends/onednn/kernels/dot_attention_scores.h"

namespace weft::onednn::kernels::WEFT_ISA {
namespace {

// The bytes of eight keys, each of them 1; and where a byte stands.
constexpr uint64_t kAllSeen = 0x0101010101010101;
constexpr int kByte = 8;

// The keys of [begin, end) that the row allows, `allowed` being contiguous: most are hidden where
// beams share their entries, all are seen within a sentence.
int64_t list_allowed(const uint8_t* allowed, int64_t begin, int64_t end, int32_t* list) {
  int64_t n = 0, j = begin;
  for (; j + 8 <= end; j += 8) {
    uint64_t eight;
    __builtin_memcpy(&eight, allowed + j, sizeof eight);
    if (eight == kAllSeen) {
      for (int i = 0; i < 8; ++i) list[n + i] = (int32_t)(j + i);
      n += 8;
      continue;
    }
    while (eight != 0) {
      const int at = __builtin_ctzll(eight) / kByte;
      list[n++] = (int32_t)(j + at);
      eight &= ~(uint64_t{0xFF} << (at * kByte));
    }
  }
  for (; j < end; ++j) {
    list[n] = (int32_t)j;
    n += allowed[j] != 0 ? 1 : 0;
  }
  return n;
}

// The keys of a range that query t may see, in order; nothing else is touched.
template <class Args>
int64_t list_seen(const Args& args, int64_t b, int64_t h, int64_t t, Range keys, int32_t* list) {
  const MaskRow mask = mask_row(args.mask, b, h, t);
  const Keys near = within(args.band, t, 1, keys.end);
  const int64_t begin = larger(keys.begin, near.begin);
  if (mask.allowed != nullptr && mask.column == 1)
    return list_allowed(mask.allowed, begin, near.end, list);
  int64_t n = 0;
  for (int64_t j = begin; j < near.end; ++j) {
    list[n] = (int32_t)j;
    n += mask.at(j) ? 1 : 0;
  }
  return n;
}

// Into the caches, while something else is computed.
void fetch_list(const float* rows, int64_t ld, const int32_t* list, int64_t n, int64_t columns) {
  for (int64_t i = 0; i < n; ++i)
    for (int64_t c = 0; c < columns; c += 16) __builtin_prefetch(rows + list[i] * ld + c);
}

// y[i] = factor * x . rows[list[i]], four rows at a time.
void dot_list(const float* x, const float* rows, int64_t ld, const int32_t* list, int64_t n,
              int64_t columns, float factor, float* y) {
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    Vec total[4] = {splat(0), splat(0), splat(0), splat(0)};
    const float* row[4];
    for (int r = 0; r < 4; ++r) row[r] = rows + list[i + r] * ld;
    for_columns(columns, [&](int64_t c, auto at) {
      const Vec x_c = at.get(x + c);
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) total[r] = fma(x_c, at.get(row[r] + c), total[r]);
    });
    for (int r = 0; r < 4; ++r) y[i + r] = factor * sum(total[r]);
  }
  for (; i < n; ++i) {
    Vec total = splat(0);
    const float* row = rows + list[i] * ld;
    for_columns(columns,
                [&](int64_t c, auto at) { total = fma(at.get(x + c), at.get(row + c), total); });
    y[i] = factor * sum(total);
  }
}

// y = sum_i a[i] * rows[list[i]], N vectors of it at a time.
template <int N>
WEFT_INLINE int64_t sum_vectors(const float* a, const float* rows, int64_t ld, const int32_t* list,
                                int64_t n, int64_t begin, int64_t columns, float* y) {
  int64_t c = begin;
  for (; c + N * kWidth <= columns; c += N * kWidth) {
    Vec total[N];
#pragma GCC unroll 8
    for (int v = 0; v < N; ++v) total[v] = splat(0);
    for (int64_t i = 0; i < n; ++i) {
      const float* row = rows + list[i] * ld + c;
      const Vec a_i = splat(a[i]);
#pragma GCC unroll 8
      for (int v = 0; v < N; ++v) total[v] = fma(a_i, load(row + v * kWidth), total[v]);
    }
#pragma GCC unroll 8
    for (int v = 0; v < N; ++v) store(y + c + v * kWidth, total[v]);
  }
  return c;
}
void sum_list(const float* a, const float* rows, int64_t ld, const int32_t* list, int64_t n,
              int64_t columns, float* y) {
  int64_t c = sum_vectors<8>(a, rows, ld, list, n, 0, columns, y);
  c = sum_vectors<4>(a, rows, ld, list, n, c, columns, y);
  c = sum_vectors<1>(a, rows, ld, list, n, c, columns, y);
  if (c == columns) return;
  Vec total = splat(0);
  for (int64_t i = 0; i < n; ++i)
    total = fma(splat(a[i]), load(rows + list[i] * ld + c, columns - c), total);
  store(y + c, total, columns - c);
}

// Scores in units of log 2.
template <class Args>
void score_list(const Args& args, int64_t b, int64_t h, int64_t t, const int32_t* list, int64_t n,
                float* e) {
  dot_list(row_of(args.q, b, h, t), row_of(args.k, b, h, 0), args.k.row, list, n, args.hidden,
           args.scale * kLog2E, e);
  if (args.bias.data == nullptr) return;
  const float* x = args.bias.data + b * args.bias.batch + h * args.bias.head + t * args.bias.row;
  for (int64_t i = 0; i < n; ++i) e[i] += bias_in_log2(x[list[i] * args.bias.column]);
}

// e to 2^(e - shift); returns the sum.
float to_powers(float* e, int64_t n, float shift) {
  Vec total = splat(0);
  for (int64_t i = 0; i < n; i += kWidth) {
    const int64_t lanes = smaller(kWidth, n - i);
    const Vec x = select(first(lanes), load(e + i, lanes), -infinity());
    const Vec a = exp2_open(x - splat(shift));
    store(e + i, a, lanes);
    total += a;
  }
  return sum(total);
}

float top_of(const float* e, int64_t n) {
  Vec top = -infinity();
  for (int64_t i = 0; i < n; i += kWidth) {
    const int64_t lanes = smaller(kWidth, n - i);
    top = maximum(select(first(lanes), load(e + i, lanes), -infinity()), top);
  }
  return largest(top);
}

// a[i] times what dropout makes of weight list[i], the list being of keys from `begin` on.
void drop(const WeightDropout& d, int64_t b, int64_t h, int64_t t, Range keys, const int32_t* list,
          int64_t n, uint32_t* words, float* a) {
  draw_words(d, b, h, t, keys.begin, keys.end - keys.begin, words);
  for (int64_t i = 0; i < n; ++i)
    a[i] = words[list[i] - keys.begin] < d.threshold ? a[i] * d.factor : 0;
}

// --- forward

struct Sum {  // over a range of keys, relative to the largest score
  float top, sum;
};

float* partial(const DotAttention& args, int64_t row, int64_t range) {
  return static_cast<float*>(args.workspace) +
         (row * key_ranges(args) + range) * partial_floats(args);
}

// The sum over the keys of a range that a query sees, unfinished: to `out`, relative to the largest
// score there.
Sum run_range(const DotAttention& args, int64_t b, int64_t h, int64_t t, Range keys,
              const int32_t* list, int64_t n, float* out) {
  uint32_t words[kKeyRange];
  float a[kKeyRange];
  if (t == 0) fetch_list(row_of(args.v, b, h, 0), args.v.row, list, n, args.width);
  score_list(args, b, h, t, list, n, a);
  Sum part{top_of(a, n), 0};
  part.sum = to_powers(a, n, part.top == -__builtin_inff() ? 0 : part.top);
  if (args.weights.data != nullptr) {
    float* w = row_of(args.weights, b, h, t);
    // Behind the last range are keys that none of the queries may see.
    const int64_t end = keys.end == keys_of_few(args) ? args.keys : keys.end;
    for (int64_t j = keys.begin; j < end; ++j) w[j] = 0;
    for (int64_t i = 0; i < n; ++i) w[list[i]] = a[i];
  }
  if (args.dropout.on) drop(args.dropout, b, h, t, keys, list, n, words, a);
  sum_list(a, row_of(args.v, b, h, 0), args.v.row, list, n, args.width, out);
  return part;
}

void scale_row(float* x, int64_t n, float by) {
  for_columns(n, [&](int64_t c, auto at) { at.put(x + c, at.get(x + c) * splat(by)); });
}

float inverse(float sum) { return sum == 0 ? 0 : 1 / sum; }

void put_lse(const DotAttention& args, int64_t b, int64_t h, int64_t t, float top, float sum) {
  if (args.lse.data == nullptr) return;
  *row_of(args.lse, b, h, t) = sum == 0 ? -__builtin_inff() : top * kLn2 + log(splat(sum))[0];
}

// All ranges of one query to the result.
void combine(const DotAttention& args, int64_t row, int64_t b, int64_t h, int64_t t) {
  const int64_t ranges = key_ranges(args), at = args.width;
  float top = -__builtin_inff(), total = 0;
  for (int64_t r = 0; r < ranges; ++r) {
    const float* p = partial(args, row, r);
    if (!(p[at] <= top)) top = p[at];
  }
  float* out = row_of(args.out, b, h, t);
  memset(out, 0, (size_t)args.width * sizeof(float));
  for (int64_t r = 0; r < ranges; ++r) {
    const float* p = partial(args, row, r);
    const float by = p[at] == -__builtin_inff() ? 0 : exp2_open(splat(p[at] - top))[0];
    total += by * p[at + 1];
    for_columns(args.width, [&](int64_t c, auto columns) {
      columns.put(out + c, fma(columns.get(p + c), splat(by), columns.get(out + c)));
    });
    if (args.weights.data != nullptr)
      scale_row(row_of(args.weights, b, h, t) + r * kKeyRange,
                smaller(kKeyRange, args.keys - r * kKeyRange), by);
  }
  scale_row(out, args.width, inverse(total));
  if (args.weights.data != nullptr)
    scale_row(row_of(args.weights, b, h, t), args.keys, inverse(total));
  put_lse(args, b, h, t, top, total);
}

}  // namespace

namespace {

// A range of the keys of one query: of one head, or of all where they see the same and there are
// queries enough. A key's heads lie side by side, and are read so.
void run_unit(const DotAttention& args, int64_t b, Range heads, int64_t t, int64_t range) {
  const int64_t ranges = key_ranges(args), all = smaller(keys_of_few(args), keys_of(args, b)),
                begin = smaller(all, range * kKeyRange);
  const Range keys{begin, smaller(all, begin + kKeyRange)};
  int32_t list[kKeyRange];
  const int64_t n = list_seen(args, b, heads.begin, t, keys, list);
  for (int64_t h = heads.begin; h < heads.end; ++h) {
    float* const to = ranges == 1 ? row_of(args.out, b, h, t)
                                  : partial(args, (b * args.heads + h) * args.queries + t, range);
    const Sum part = run_range(args, b, h, t, keys, list, n, to);
    if (ranges > 1) {
      to[args.width] = part.top, to[args.width + 1] = part.sum;
      continue;
    }
    scale_row(to, args.width, inverse(part.sum));
    if (args.weights.data != nullptr)
      scale_row(row_of(args.weights, b, h, t), args.keys, inverse(part.sum));
    put_lse(args, b, h, t, part.top, part.sum);
  }
}

}  // namespace

void dot_attention_rows(const DotAttention& args) {
  const int64_t ranges = key_ranges(args), rows = args.batch * args.heads * args.queries;
  const int64_t most = keys_of_few(args);
  parallel(rows * most * (args.hidden + args.width), [&](int64_t thread, int64_t threads) {
    const bool same = args.mask.head == 0 || args.mask.allowed == nullptr;
    const int64_t heads = same && args.batch * args.queries >= 4 * threads ? args.heads : 1;
    const Range mine = share(rows / heads * ranges, thread, threads);
    for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
      const int64_t row = unit / ranges, t = row % args.queries, first = row / args.queries * heads,
                    b = first / args.heads, h = first % args.heads;
      if (t < queries_of(args, b)) run_unit(args, b, {h, h + heads}, t, unit % ranges);
    }
    if (ranges == 1) return;
    wait_for_team(threads);
    const Range whole = share(rows, thread, threads);
    for (int64_t row = whole.begin; row < whole.end; ++row) {
      const int64_t head = row / args.queries, t = row % args.queries, b = head / args.heads;
      if (t < queries_of(args, b)) combine(args, row, b, head % args.heads, t);
    }
  });
}

// --- gradient

namespace {

// What makes weights of scores: a = 2^(e - shift) * factor.
struct Weighing {
  float shift, factor;
  bool hidden;  // nothing is seen: no weights
};

Weighing weighing(const DotAttentionGrad& args, int64_t b, int64_t h, int64_t t, int32_t* list,
                  float* a) {
  const float lse = *row_of(args.lse, b, h, t);
  if (is_exact(lse)) return {lse * kLog2E, 1, false};
  if (lse == -__builtin_inff()) return {0, 0, true};
  const int64_t n = list_seen(args, b, h, t, {0, keys_of(args, b)}, list);
  score_list(args, b, h, t, list, n, a);
  const float top = top_of(a, n);
  return {top, 1 / to_powers(a, n, top), false};
}

void weigh(float* e, int64_t n, const Weighing& w) {
  to_powers(e, n, w.shift);
  if (w.factor != 1) scale_row(e, n, w.factor);
}

// sum_j a[j] * dweights[j] over all keys.
float weighted_term(const DotAttentionGrad& args, int64_t b, int64_t h, int64_t t,
                    const Weighing& weighing, int32_t* list, float* a) {
  const int64_t n = list_seen(args, b, h, t, {0, keys_of(args, b)}, list);
  score_list(args, b, h, t, list, n, a);
  weigh(a, n, weighing);
  const float* w = row_of(args.dweights, b, h, t);
  float total = 0;
  for (int64_t i = 0; i < n; ++i) total += a[i] * w[list[i]];
  return total;
}

void add_row(float* y, const float* x, float by, int64_t n) {
  for_columns(
      n, [&](int64_t c, auto at) { at.put(y + c, fma(at.get(x + c), splat(by), at.get(y + c))); });
}

}  // namespace

void dot_attention_grad_rows(const DotAttentionGrad& args, int64_t b, int64_t h, Range keys,
                             float* dq, int64_t ld_dq, float* buffer) {
  const int64_t ld = rounded(args.keys, 16);
  float *a = buffer, *ds = a + ld;
  auto* list = reinterpret_cast<int32_t*>(ds + ld);
  auto* words = reinterpret_cast<uint32_t*>(list + ld);
  const float *k = row_of(args.k, b, h, 0), *v = row_of(args.v, b, h, 0);
  const bool scored = dq != nullptr || args.dk.data != nullptr || args.dbias.data != nullptr;
  for (int64_t t = 0; t < queries_of(args, b); ++t) {
    const float *g = row_of(args.dout, b, h, t), *q = row_of(args.q, b, h, t);
    const Weighing w_t = weighing(args, b, h, t, list, a);
    float term = 0;
    if (scored && !w_t.hidden) {
      const int32_t self = 0;
      dot_list(g, row_of(args.out, b, h, t), 0, &self, 1, args.width, 1, &term);
      if (args.dlse.data != nullptr) term -= *row_of(args.dlse, b, h, t);
      if (args.dweights.data != nullptr) term += weighted_term(args, b, h, t, w_t, list, a);
    }
    const int64_t n = w_t.hidden ? 0 : list_seen(args, b, h, t, keys, list);
    score_list(args, b, h, t, list, n, a);
    weigh(a, n, w_t);
    if (scored) {
      dot_list(g, v, args.v.row, list, n, args.width, 1, ds);
      if (args.dropout.on) drop(args.dropout, b, h, t, keys, list, n, words, ds);
      const float* w = args.dweights.data == nullptr ? nullptr : row_of(args.dweights, b, h, t);
      for (int64_t i = 0; i < n; ++i)
        ds[i] = a[i] == 0 ? 0 : a[i] * (ds[i] + (w == nullptr ? 0 : w[list[i]]) - term);
    }
    if (args.dbias.data != nullptr) {
      float* y = args.dbias.data + b * args.dbias.batch + h * args.dbias.head + t * args.dbias.row;
      for (int64_t i = 0; i < n; ++i) y[list[i] * args.dbias.column] += ds[i];
    }
    if (scored) scale_row(ds, n, args.scale);
    if (args.dk.data != nullptr)
      for (int64_t i = 0; i < n; ++i)
        add_row(row_of(args.dk, b, h, list[i]), q, ds[i], args.hidden);
    if (args.dv.data != nullptr) {
      if (args.dropout.on) drop(args.dropout, b, h, t, keys, list, n, words, a);
      for (int64_t i = 0; i < n; ++i) add_row(row_of(args.dv, b, h, list[i]), g, a[i], args.width);
    }
    if (dq != nullptr) sum_list(ds, k, args.k.row, list, n, args.hidden, dq + t * ld_dq);
  }
}

}  // namespace weft::onednn::kernels::WEFT_ISA
