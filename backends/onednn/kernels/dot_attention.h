// backends/onednn/kernels/dot_attention.h -- dot-product attention of many heads, tiled, and its
// gradient.
//
//   q: f32[B,H,Tq,D], k: f32[B,H,S,D], v: f32[B,H,S,E]  ->  out: f32[B,H,Tq,E]
//
//   e[t,j] = scale * q[t].k[j] + bias[t,j]        a[t,:] = softmax over the visible j of e
//   out[t] = sum_j z[t,j]*a[t,j]*v[j]             lse[t] = log sum_j exp(e[t,j])
//
// z is dropout's: 1/keep where the counter says so, else 0 (1 without dropout). Keys and values are
// read a block at a time and the softmax is carried along (Milakov and Gimelshein 2018; Rabe and
// Staats 2021; Dao et al. 2022): nothing of Tq x S exists. The gradient recomputes the weights from
// lse. Keys hidden from all queries are not touched, tiles outside the band are skipped; a query that sees nothing gives zeros and
// lse = -inf; NaN in hidden keys and values does not leak.
//
// Gradient, with G = dout, W = dweights (of the weights before dropout):
//   term[t] = G[t].out[t] + sum_j a*W - dlse[t]      ds = a*(z*G.v[j] + W - term)
//   dq[t] = scale*sum_j ds*k[j]   dk[j] = scale*sum_t ds*q[t]   dv[j] = sum_t z*a*G[t]
//   dbias += ds (summed where bias broadcasts; the caller clears it)
// Each of dq, dk, dv, dbias may be null: what nobody wants is not computed.
//
// Work is divided by blocks of queries forward, by batch entry, head and range of keys backward,
// and by ranges of keys where there are few queries. Bits depend on the number of threads nowhere;
// those of the forward results do not depend on the batch nor on hidden keys at the end either.
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

// [B,H,rows,columns], columns contiguous. Packed: the rows of entry b are [start[b], start[b+1]).
template <class T>
struct Heads {
  T* data = nullptr;
  int64_t batch = 0, head = 0, row = 0;
  const int64_t* start = nullptr;
};

// Query t may see keys t-behind .. t+ahead: causal is {kNoLimit, 0}, a sliding window of w {w-1, 0}.
inline constexpr int64_t kNoLimit = INT64_MAX / 2;
struct Band {
  int64_t behind = kNoLimit, ahead = kNoLimit;
};

// The keys that any of the queries [t, t+queries) may see by the band, of the first `keys`.
struct Keys {
  int64_t begin, end;
};
constexpr Keys within(const Band& band, int64_t t, int64_t queries, int64_t keys) {
  const int64_t first = t - band.behind, last = t + queries + band.ahead;
  const int64_t end = last < keys ? last : keys, begin = first > 0 ? first : 0;
  return {begin, end > begin ? end : begin};
}

// How many that are at most, wherever the queries stand.
constexpr int64_t most_within(const Band& band, int64_t queries, int64_t keys) {
  if (band.behind >= keys || band.ahead >= keys) return keys;
  const int64_t most = band.behind + queries + band.ahead;
  return most < keys ? most : keys;
}

// Which weights are kept: element element+h*head+t*row+j*column of row row_id[b] at a position is
// kept if its word (philox.h) is below the threshold.
struct WeightDropout {
  bool on = false;
  uint32_t threshold = 0;
  float factor = 1;  // of what is kept
  uint64_t stream = 0;
  int64_t step = 0;
  const int64_t* row_id = nullptr;    // [B]
  const int32_t* position = nullptr;  // position[t*position_row]; null: 0
  int64_t position_row = 0;
  int64_t element = 0, head = 0, row = 0, column = 1;
};

// Where ds is added up: a stride of 0 sums along that dimension, a row of -1 by distance (as a Bias of
// that row is read by distance).
struct BiasGrad {
  float* data = nullptr;
  int64_t batch = 0, head = 0, row = 0, column = 1;
};

// Packed (Heads::start) are all rows of queries, keys and what belongs to them, or none: `queries`
// and `keys` are then the most a batch entry may have.
//
// With `low` q, k and v (and `out` of the gradient) are bf16, and the others of them say only how
// they lie; what is computed of them is f32. Not for few queries (dot_attention_sizes.h).
struct LowHeads {
  const uint16_t *q = nullptr, *k = nullptr, *v = nullptr, *out = nullptr;
};

struct DotAttention {
  int64_t batch = 0, heads = 1, queries = 0, keys = 0;  // B, H, Tq, S
  int64_t hidden = 0, width = 0;                        // D, E
  Heads<const float> q, k, v;
  LowHeads low;
  Mask mask;
  Band band;
  Bias bias;
  float scale = 1;
  WeightDropout dropout;
  Heads<float> out;
  Heads<float> weights;  // optional [B,H,Tq,S]
  Heads<float> lse;      // optional [B,H,Tq]: row is the distance between queries
  void* workspace = nullptr;
};

struct DotAttentionGrad {
  int64_t batch = 0, heads = 1, queries = 0, keys = 0;
  int64_t hidden = 0, width = 0;
  Heads<const float> q, k, v;
  LowHeads low;
  Mask mask;
  Band band;
  Bias bias;
  float scale = 1;
  WeightDropout dropout;
  Heads<const float> out, lse, dout;
  Heads<const float> dweights;  // optional
  Heads<const float> dlse;      // optional, of the log-sum-exp
  Heads<float> dq, dk, dv;      // each may be null
  BiasGrad dbias;
  void* workspace = nullptr;
};

// Of the sizes, the optional pointers' presence and the largest number of threads.
size_t dot_attention_workspace_bytes(const DotAttention& args);
size_t dot_attention_grad_workspace_bytes(const DotAttentionGrad& args);

void dot_attention(const DotAttention& args);
void dot_attention_grad(const DotAttentionGrad& args);

}  // namespace weft::onednn::kernels
