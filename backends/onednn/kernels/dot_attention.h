// backends/onednn/kernels/dot_attention.h -- the softmax between the two products of dot attention.
//
//   scores: f32[B,H,Tq,S]  ->  weights in place, lse: f32[B,H,Tq]
//
//   a = softmax over the allowed j of (scale*scores + bias)      lse = log sum_j exp(...)
//   ds = a*(da - sum_j a*da)*scale                               (in place over da)
//
// The products q k' and a v are the backend's (oneDNN). Masked weights are exactly 0 whatever the
// score holds. A row without an allowed position gives zeros and lse = -inf. Masks, lengths and the
// diagonal are combined by "and".
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

inline constexpr int64_t kNoDiagonal = INT64_MAX / 2;

struct AttentionSoftmax {
  int64_t batch = 0, heads = 1, queries = 0, keys = 0;
  float* scores = nullptr;
  int64_t scores_batch = 0, scores_head = 0, scores_row = 0;
  float scale = 1;
  Bias bias;
  Mask mask;
  const int32_t* lengths = nullptr;  // [B]
  int64_t diagonal = kNoDiagonal;    // query t may see keys j <= t + diagonal; 0 is causal
  float* lse = nullptr;              // optional [B,H,Tq], dense
};

struct AttentionSoftmaxGrad {
  int64_t batch = 0, heads = 1, queries = 0, keys = 0;
  const float* weights = nullptr;
  int64_t weights_batch = 0, weights_head = 0, weights_row = 0;
  float* da = nullptr;  // becomes ds
  int64_t da_batch = 0, da_head = 0, da_row = 0;
  float scale = 1;
};

void attention_softmax(const AttentionSoftmax& args);
void attention_softmax_grad(const AttentionSoftmaxGrad& args);

}  // namespace weft::onednn::kernels
