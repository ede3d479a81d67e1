// frontend/nn/recurrent.h -- GRU and LSTM cells, and layers of them over sequences.
//
// Sequences are time-major, T[S,B,M]. With lengths, a padded row is computed exactly as it would be
// alone: ended rows keep their state, their outputs are zero, and the reverse direction starts at
// each row's last position.
//
// Throws GraphError, at the line of the call, where shapes or settings do not go together.
#pragma once
#include "frontend/language/loop.h"
#include "frontend/language/scope.h"
#include "frontend/nn/dropout.h"

namespace weft {

enum class CellKind {
  gru,
  gru_after,
  lstm
};  // the GRU's reset gate before (papers) or after (PyTorch) the matmul

struct CellState {
  Tensor h;  // T[B,H]
  Tensor c;  // T[B,H]; LSTM only
};

struct CellOptions {
  bool bias = true;
  Initializer input = init::glorot_uniform();  // of W and C
  Initializer recurrent = init::orthogonal();  // of U
};

// Cho et al. 2014; Bahdanau et al. 2015, appendix A.1.1 and A.2.2; [z r n] side by side in W, U, C
// and b:
//   z = sigmoid(W_z x + U_z s + C_z c + b_z),  r = sigmoid(W_r x + U_r s + C_r c + b_r)
//   n = tanh(W_n x + U_n (r * s) + C_n c + b_n),  s' = (1 - z) * s + z * n
// x: T[B,M], s: T[B,H], context c: T[B,E] or none -> T[B,H]
// parameters W [M,3H], U [H,3H], C [E,3H], b [3H]
Tensor gru_cell(const Scope& p, const Tensor& x, const Tensor& s, const Tensor& context = {},
                const CellOptions& options = {}, SourceLoc loc = SourceLoc::here());

// As PyTorch and cuDNN have it; [r z n] side by side in W, U and their biases b, bu:
//   r = sigmoid(W_r x + b_r + U_r s + bu_r),  z = sigmoid(W_z x + b_z + U_z s + bu_z)
//   n = tanh(W_n x + b_n + r * (U_n s + bu_n)),  s' = (1 - z) * n + z * s
// x: T[B,M], s: T[B,H] -> T[B,H]; parameters W [M,3H], U [H,3H], b, bu [3H]
Tensor gru_after_cell(const Scope& p, const Tensor& x, const Tensor& s,
                      const CellOptions& options = {}, SourceLoc loc = SourceLoc::here());

// Hochreiter and Schmidhuber 1997 with forget gates; [i f g o] side by side in W, U and b:
//   [i f g o] = W x + U h + b
//   c' = sigmoid(f) * c + sigmoid(i) * tanh(g),  h' = sigmoid(o) * tanh(c')
// x: T[B,M], state: h, c: T[B,H] -> h', c': T[B,H]; parameters W [M,4H], U [H,4H], b [4H]
CellState lstm_cell(const Scope& p, const Tensor& x, const CellState& state,
                    const CellOptions& options = {}, SourceLoc loc = SourceLoc::here());

// One step of any of them. A context goes into the GRU of the papers through matrices of its own,
// into the others side by side with x.      x: T[B,M] or none, context: T[B,E] or none
// Without x it is a transition from state to state: there are no W (Miceli Barone et al. 2017, eq. 4).
CellState cell(CellKind kind, const Scope& p, const Tensor& x, const CellState& state,
               const Tensor& context = {}, const CellOptions& options = {},
               SourceLoc loc = SourceLoc::here());

// -> zeros T[B,H]; `like` is any tensor of the graph
CellState zero_state(CellKind kind, const Tensor& like, const Dim& rows, const Dim& width,
                     SourceLoc loc = SourceLoc::here());

// The simpler simple recurrent unit (Kim et al. 2019, section 3.1), which stands in the place of a
// decoder's self-attention:
//   f = sigmoid(W_f x + b_f),  c' = f * c + (1 - f) * (W x),  h = relu(c')
// One step: x: T[...,M], c: T[...,M] -> h, c'; parameters W [M,M], f/W [M,M], f/b [M]
CellState ssru_cell(const Scope& p, const Tensor& x, const Tensor& c,
                    SourceLoc loc = SourceLoc::here());
// All positions of x: T[B,T,M], from zeros -> h: T[B,T,M]
Tensor ssru(const Scope& p, const Tensor& x, SourceLoc loc = SourceLoc::here());

struct Recurrent {
  Tensor outputs;  // T[S,B,H], of a bidirectional layer T[S,B,2H]: [forward; backward]
  std::vector<CellState> final;  // layer by layer, in each forward, then backward
  Tensor lengths;                // s32[B], of the outputs; with lengths
};

struct RecurrentOptions {
  CellKind kind = CellKind::gru;
  int64_t layers = 1;
  bool bidirectional = false;
  double dropout = 0;        // between layers (Zaremba et al. 2014),
  bool variational = false;  // with one mask for all positions
  bool residual = false;     // layers but the first add what they read (Wu et al. 2016, eq. 6)
  int64_t halved = 0;        // so many layers above the first read two positions as one
  int64_t transitions = 0;   // further cells that each step goes through, without input
  Noise noise;
  std::vector<CellState> initial;  // in the order of `final`; none: zeros
  CellOptions cell;
};

// x: T[S,B,M], lengths: s32[B] or none. Parameters at p/<layer>/forward and p/<layer>/backward,
// of transitions below these at transition/<number>. Where a layer reads two positions as one, [x_2i;
// x_2i+1], outputs have half as many, the odd one counted (Chan et al. 2016, "Listen, Attend and
// Spell", eq. 5).
Recurrent recurrent(const Scope& p, const Tensor& x, const Tensor& lengths, const Dim& width,
                    const RecurrentOptions& options = {}, SourceLoc loc = SourceLoc::here());

}  // namespace weft
