// backends/onednn/kernels/lstm_cell.h -- the elementwise part of an LSTM step; the products are the
// caller's.
//
//   g: f32[B,4H] (+ hu: f32[B,4H] = h U), c: f32[B,H]  ->  h_out, c_out: f32[B,H], gates: f32[B,4H]
//
//   i, f, o = sigmoid(g + hu)   u = tanh(g + hu)      gates in the order i, f, u, o
//   c_out = f*c + i*u           h_out = o*tanh(c_out)
// gradient, with d = dh_out, dc = dc_out:
//   e = dc + d*o*(1 - tanh(c_out)^2)
//   dg[i] = e*u*i*(1-i)   dg[f] = e*c*f*(1-f)   dg[u] = e*i*(1-u^2)   dg[o] = d*tanh(c_out)*o*(1-o)
//   dc_in = e*f           dh_in = 0 (the caller adds dg U')
// Dead rows (live[b] == 0) keep h and c; their dg is 0, dc_in = dc, dh_in = d.
#pragma once
#include "backends/onednn/kernels/types.h"

namespace weft::onednn::kernels {

struct LstmCell {
  int64_t batch = 0, hidden = 0;
  const float* g = nullptr;
  int64_t ld_g = 0;
  const float* hu = nullptr;  // optional
  int64_t ld_hu = 0;
  const float* c = nullptr;
  int64_t ld_c = 0;
  const float* h = nullptr;  // read for dead rows only; needed with live
  int64_t ld_h = 0;
  float* gates = nullptr;  // optional; may be g
  int64_t ld_gates = 0;
  float* c_out = nullptr;  // may be c
  int64_t ld_c_out = 0;
  float* h_out = nullptr;  // may be h
  int64_t ld_h_out = 0;
  float* h_out2 = nullptr;  // optional second copy (a stacked output); dead rows are zeros there
  int64_t ld_h_out2 = 0;
  const uint8_t* live = nullptr;
};

struct LstmCellGrad {
  int64_t batch = 0, hidden = 0;
  const float* dh_out = nullptr;
  int64_t ld_dh_out = 0;
  const float* dc_out = nullptr;  // null is zero
  int64_t ld_dc_out = 0;
  const float* c = nullptr;  // before the step
  int64_t ld_c = 0;
  const float* c_out = nullptr;
  int64_t ld_c_out = 0;
  const float* gates = nullptr;
  int64_t ld_gates = 0;
  float* dg = nullptr;  // may be gates
  int64_t ld_dg = 0;
  float* dc_in = nullptr;  // may be dc_out
  int64_t ld_dc_in = 0;
  float* dh_in = nullptr;  // optional: d for dead rows, 0 for live ones; may be dh_out
  int64_t ld_dh_in = 0;
  const uint8_t* live = nullptr;
};

void lstm_cell(const LstmCell& args);
void lstm_cell_grad(const LstmCellGrad& args);

}  // namespace weft::onednn::kernels
