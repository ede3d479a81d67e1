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
// With many queries tanh comes from e^2q and e^2k, made once a row (additive_powers.h). Bits do not
// depend on the number of threads.
#pragma once
#include "backends/onednn/kernels/dot_attention.h"
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct AdditiveAttention {
  int64_t batch = 0, queries = 0, keys = 0;  // B, Tq, S
  int64_t hidden = 0, width = 0;             // A, E
  const float* q = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  const float* va = nullptr;
  int64_t q_batch = 0, q_row = 0;
  int64_t k_batch = 0, k_row = 0;
  int64_t v_batch = 0, v_row = 0;
  Mask mask;                         // over (batch, row = query, column = key); head unused
  const int32_t* lengths = nullptr;  // [B]: keys j < lengths[b] are allowed; with mask: both
  int64_t diagonal = kNoDiagonal;    // query t may see keys j <= t + diagonal
  Bias bias;                         // head unused
  WeightDropout dropout;             // head unused
  float scale = 1;
  float* out = nullptr;
  int64_t out_batch = 0, out_row = 0;
  float* weights = nullptr;  // optional [B,Tq,S]
  int64_t weights_batch = 0, weights_row = 0;
  float* lse = nullptr;  // optional [B,Tq]
  int64_t lse_batch = 0, lse_row = 1;
  void* workspace = nullptr;
};

struct AdditiveAttentionGrad {
  int64_t batch = 0, queries = 0, keys = 0;
  int64_t hidden = 0, width = 0;
  const float* q = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  const float* va = nullptr;
  int64_t q_batch = 0, q_row = 0;
  int64_t k_batch = 0, k_row = 0;
  int64_t v_batch = 0, v_row = 0;
  Mask mask;
  const int32_t* lengths = nullptr;
  int64_t diagonal = kNoDiagonal;
  Bias bias;
  WeightDropout dropout;
  float scale = 1;
  const float* out = nullptr;  // the forward result
  int64_t out_batch = 0, out_row = 0;
  const float* lse = nullptr;
  int64_t lse_batch = 0, lse_row = 1;
  const float* dout = nullptr;
  int64_t dout_batch = 0, dout_row = 0;
  const float* dweights = nullptr;  // optional: cotangent of the weights [B,Tq,S]
  int64_t dweights_batch = 0, dweights_row = 0;
  float* dq = nullptr;  // any of the four may be null
  int64_t dq_batch = 0, dq_row = 0;
  float* dk = nullptr;
  int64_t dk_batch = 0, dk_row = 0;
  float* dv = nullptr;
  int64_t dv_batch = 0, dv_row = 0;
  float* dva = nullptr;  // [A]
  float* ds = nullptr;   // optional [B,Tq,S], dense: the caller's sums of it are dbias
  bool accumulate_dq = false, accumulate_dk = false, accumulate_dv = false, accumulate_dva = false;
  void* workspace = nullptr;
};

// Of the sizes, the optional pointers' presence and the largest number of threads.
size_t additive_attention_workspace_bytes(const AdditiveAttention& args);
size_t additive_attention_grad_workspace_bytes(const AdditiveAttentionGrad& args);

void additive_attention(const AdditiveAttention& args);
void additive_attention_grad(const AdditiveAttentionGrad& args);

}  // namespace weft::onednn::kernels
