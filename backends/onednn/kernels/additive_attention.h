// backends/onednn/kernels/additive_attention.h -- v_a . tanh(q + k), softmax and weighted sum in
// one.
//
//   q: f32[B,Tq,A], k: f32[B,S,A], v: f32[B,S,E], va: f32[A]  ->  out: f32[B,Tq,E]
//
//   e[t,j] = scale * sum_c va[c]*tanh(q[t,c] + k[j,c]) + bias[t,j]
//   a[t,:] = softmax over the allowed j of e                lse[t] = log sum_j exp(e[t,j])
//   out[t] = sum_j z[t,j]*a[t,j]*v[j]                       z: dropout's 1/keep or 0
//
// (Bahdanau et al. 2015.) [B,Tq,S,A] never exists. Masked positions are skipped altogether: no tanh
// is spent on them and nothing stored there can leak. A row without an allowed position gives
// zeros, weights of zero and lse = -inf.
//
// Gradient, with G = dout, everything recomputed from q, k and lse:
//   da[t,j] = z*G[t].v[j] - G[t].out[t] (+ dweights)    ds = a*da      h = tanh(q[t] + k[j])
//   dq[t] = scale*va*sum_j ds*(1-h^2)   dk[j] = scale*va*sum_t ds*(1-h^2)
//   dva   = scale*sum_tj ds*h           dv[j] = sum_t z*a*G[t]
//   with dweights W:  ds = a*(z*G.v[j] + W[j] - (G.out + sum_i a[i]*W[i]))
// Each of dq, dk, dv, dva may be null: what nobody wants is not computed.
//
// With `low` k and v are bf16 and the others of them say only how they lie; what is computed of
// them is f32.
//
// With many queries tanh comes from e^2q and e^2k, made once a row (additive_powers.h). Bits do not
// depend on the number of threads. There is one head: strides along heads are not read.
#pragma once
#include "backends/onednn/kernels/dot_attention.h"
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct AdditiveAttention {
  int64_t batch = 0, queries = 0, keys = 0;  // B, Tq, S
  int64_t hidden = 0, width = 0;             // A, E
  Heads<const float> q, k, v;
  LowHeads low;  // k and v as bf16, or nothing
  const float* va = nullptr;
  Mask mask;
  Band band;
  Bias bias;
  WeightDropout dropout;
  float scale = 1;
  Heads<float> out;
  Heads<float> weights;  // optional [B,Tq,S]
  Heads<float> lse;      // optional [B,Tq]: row is the distance between queries
  void* workspace = nullptr;
};

struct AdditiveAttentionGrad {
  int64_t batch = 0, queries = 0, keys = 0;
  int64_t hidden = 0, width = 0;
  Heads<const float> q, k, v;
  LowHeads low;
  const float* va = nullptr;
  Mask mask;
  Band band;
  Bias bias;
  WeightDropout dropout;
  float scale = 1;
  Heads<const float> out, lse, dout;
  Heads<const float> dweights;  // optional
  Heads<float> dq, dk, dv;      // each may be null, as may dva
  Heads<float> ds;              // optional [B,Tq,S]: the caller's sums of it are dbias
  float* dva = nullptr;         // [A]
  bool accumulate_dva = false;
  void* workspace = nullptr;
};

// Of the sizes, the optional pointers' presence and the largest number of threads.
size_t additive_attention_workspace_bytes(const AdditiveAttention& args);
size_t additive_attention_grad_workspace_bytes(const AdditiveAttentionGrad& args);

void additive_attention(const AdditiveAttention& args);
void additive_attention_grad(const AdditiveAttentionGrad& args);

}  // namespace weft::onednn::kernels
