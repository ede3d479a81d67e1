// backends/onednn/kernels/gru_cell.h -- the elementwise parts of a GRU step; the products are the
// caller's.
//
//   g: f32[B,3H] gate inputs, s: f32[B,H] state
//     ->  s_out: f32[B,H], gates: f32[B,3H] (kept for the gradient)
//
// Gates stand in the order z, r, n, or r, z, n if `reset_first`. Dead rows (live[b] == 0) keep s
// and have zero gate gradients. Every `ld_` is a row distance. Results may not alias operands
// unless said.
//
// reset before (Cho et al. 2014, Bahdanau et al. 2015), with su = s U [B,2H] and, between the
// stages, rn = rs Un:
//   stage 1:  z, r = sigmoid(g[z], g[r] + su)     rs = r*s
//   stage 2:  n = tanh(g[n] + rn)                 s_out = s + z*(n - s)
// gradient, with drs = dg[n] Un' between the stages, and ds += dg[z,r] U' after them:
//   stage 1:  dg[n] = d*z*(1-n^2)   dg[z] = d*(n-s)*z*(1-z)   ds = d*(1-z)
//   stage 2:  dg[r] = drs*s*r*(1-r)   ds += drs*r
//
// reset after (PyTorch), with su = s [Uz Ur Un] [B,3H] in the gate order:
//   z, r = sigmoid(g + su)   hn = su[n] + bn   n = tanh(g[n] + r*hn)
//   s_out = (1-z)*n + z*s = n + z*(s - n)
//   dg[n] = d*(1-z)*(1-n^2)   dg[z] = d*(s-n)*z*(1-z)   dg[r] = dg[n]*hn*r*(1-r)
//   dsu = dg but dsu[n] = dg[n]*r   ds = d*z
//   (then the caller adds ds += dsu U', dbn = column sum of dsu[n])
// Note that the two conventions use z the other way round.
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct GruReset {  // reset before, stage 1
  int64_t batch = 0, hidden = 0;
  bool reset_first = false;
  const float* g = nullptr;
  int64_t ld_g = 0;
  const float* su = nullptr;
  int64_t ld_su = 0;
  const float* s = nullptr;
  int64_t ld_s = 0;
  float* gates = nullptr;  // writes its z and r columns
  int64_t ld_gates = 0;
  float* rs = nullptr;
  int64_t ld_rs = 0;
};

struct GruUpdate {  // reset before, stage 2
  int64_t batch = 0, hidden = 0;
  bool reset_first = false;
  const float* g = nullptr;
  int64_t ld_g = 0;
  const float* rn = nullptr;
  int64_t ld_rn = 0;
  const float* s = nullptr;
  int64_t ld_s = 0;
  float* gates = nullptr;  // reads z, writes n
  int64_t ld_gates = 0;
  float* s_out = nullptr;  // may be s
  int64_t ld_s_out = 0;
  float* s_out2 = nullptr;  // optional second copy (a stacked output); dead rows are zeros there
  int64_t ld_s_out2 = 0;
  const uint8_t* live = nullptr;
};

struct GruUpdateGrad {  // reset before, gradient stage 1
  int64_t batch = 0, hidden = 0;
  bool reset_first = false;
  const float* d = nullptr;  // cotangent of s_out
  int64_t ld_d = 0;
  const float* s = nullptr;
  int64_t ld_s = 0;
  const float* gates = nullptr;
  int64_t ld_gates = 0;
  float* dg = nullptr;  // writes z and n columns
  int64_t ld_dg = 0;
  float* ds = nullptr;  // written; may be d
  int64_t ld_ds = 0;
  const uint8_t* live = nullptr;
};

struct GruResetGrad {  // reset before, gradient stage 2
  int64_t batch = 0, hidden = 0;
  bool reset_first = false;
  const float* drs = nullptr;
  int64_t ld_drs = 0;
  const float* s = nullptr;
  int64_t ld_s = 0;
  const float* gates = nullptr;
  int64_t ld_gates = 0;
  float* dg = nullptr;  // writes the r columns
  int64_t ld_dg = 0;
  float* ds = nullptr;  // accumulated
  int64_t ld_ds = 0;
  const uint8_t* live = nullptr;
};

struct GruAfter {
  int64_t batch = 0, hidden = 0;
  bool reset_first = true;
  const float* g = nullptr;
  int64_t ld_g = 0;
  const float* su = nullptr;
  int64_t ld_su = 0;
  const float* bn = nullptr;  // [H] or null
  const float* s = nullptr;
  int64_t ld_s = 0;
  float* gates = nullptr;  // optional [B,3H]
  int64_t ld_gates = 0;
  float* hn = nullptr;  // optional [B,H]
  int64_t ld_hn = 0;
  float* s_out = nullptr;  // may be s
  int64_t ld_s_out = 0;
  float* s_out2 = nullptr;  // as above
  int64_t ld_s_out2 = 0;
  const uint8_t* live = nullptr;
};

struct GruAfterGrad {
  int64_t batch = 0, hidden = 0;
  bool reset_first = true;
  const float* d = nullptr;
  int64_t ld_d = 0;
  const float* s = nullptr;
  int64_t ld_s = 0;
  const float* gates = nullptr;
  int64_t ld_gates = 0;
  const float* hn = nullptr;
  int64_t ld_hn = 0;
  float* dg = nullptr;
  int64_t ld_dg = 0;
  float* dsu = nullptr;
  int64_t ld_dsu = 0;
  float* ds = nullptr;  // written; may be d
  int64_t ld_ds = 0;
  const uint8_t* live = nullptr;
};

void gru_reset(const GruReset& args);
void gru_update(const GruUpdate& args);
void gru_update_grad(const GruUpdateGrad& args);
void gru_reset_grad(const GruResetGrad& args);
void gru_after(const GruAfter& args);
void gru_after_grad(const GruAfterGrad& args);

}  // namespace weft::onednn::kernels
