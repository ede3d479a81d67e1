// ir/ops/recurrent.h -- GRU and LSTM cells with their recurrent matmuls inside, and their adjoints.
//
// gru_cell(g, s, U, Un; bias_n?) {reset, gates} -> s1 [, gates]     g: T[B,3H], s: T[B,H], U:
// T[H,2H], Un: T[H,H]
//   reset "before" (Cho et al. 2014, Bahdanau et al. 2015); gates z, r, n:
//     [z r] = sigmoid(g[:, :2H] + s U);  n = tanh(g[:, 2H:] + (r * s) Un);  s1 = s + z * (n - s)
//   reset "after" (PyTorch, cuDNN); gates r, z, n:
//     [r z] = sigmoid(g[:, :2H] + s U);  n = tanh(g[:, 2H:] + r * (s Un + bias_n));  s1 = n + z *
//     (s - n)
//   `gates` T[B,3H] holds the activated gates, side by side, what the adjoint needs of them.
//
// gru_cell_grad(ds1, s, gates, U, Un; bias_n?) {reset} -> dg T[B,3H], ds T[B,H] [, dr_n T[B,H]]
//   dg is the adjoint of g, so dU = s' dg[:, :2H]; dUn = (r*s)' dg[:, 2H:] (before), s' dm (after),
//   m = s Un + bias_n, dm the third result of "after", which is also the adjoint of bias_n by rows.
//
// lstm_cell(g, h, c, U) {gates} -> h1, c1 [, gates]                  g: T[B,4H], h, c: T[B,H], U:
// T[H,4H]
//   [i f n o] = act(g + h U), act = sigmoid but tanh for n;  c1 = f * c + i * n;  h1 = o * tanh(c1)
// lstm_cell_grad(dh1, dc1, c, c1, gates, U) -> dg T[B,4H], dh T[B,H], dc T[B,H]
//
// U and Un may be bf16 (all else is f32 then): what is multiplied with them is rounded to bf16 first.
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_gru_cell(const OpView& op);
Types infer_gru_cell_grad(const OpView& op);
Types infer_lstm_cell(const OpView& op);
Types infer_lstm_cell_grad(const OpView& op);
Graph expand_gru_cell(const OpView& op);
Graph expand_gru_cell_grad(const OpView& op);
Graph expand_lstm_cell(const OpView& op);
Graph expand_lstm_cell_grad(const OpView& op);

inline constexpr OpDef gru_cell{
    .name = "gru_cell",
    .operands = {"g", "s", "U", "Un", {"bias_n", Arity::optional}},
    .attrs = {{"reset", "before"}, {"gates", false}},
    .infer = infer_gru_cell,
    .expand = expand_gru_cell,
    .doc = "One step of a GRU from its input projections; reset before or after the matmul."};

inline constexpr OpDef gru_cell_grad{
    .name = "gru_cell_grad",
    .operands = {"ds1", "s", "gates", "U", "Un", {"bias_n", Arity::optional}},
    .attrs = {{"reset", "before"}},
    .infer = infer_gru_cell_grad,
    .expand = expand_gru_cell_grad,
    .doc = "Adjoints of gru_cell: of g, of s and, reset after, of s Un + bias_n."};

inline constexpr OpDef lstm_cell{
    .name = "lstm_cell",
    .operands = {"g", "h", "c", "U"},
    .attrs = {{"gates", false}},
    .infer = infer_lstm_cell,
    .expand = expand_lstm_cell,
    .doc = "One step of an LSTM from its input projections; gates i, f, n, o."};

inline constexpr OpDef lstm_cell_grad{.name = "lstm_cell_grad",
                                      .operands = {"dh1", "dc1", "c", "c1", "gates", "U"},
                                      .infer = infer_lstm_cell_grad,
                                      .expand = expand_lstm_cell_grad,
                                      .doc = "Adjoints of lstm_cell: of g, h and c."};

inline constexpr const OpDef* kRecurrentOps[] = {&gru_cell, &gru_cell_grad, &lstm_cell,
                                                 &lstm_cell_grad};

}  // namespace weft::ir::ops
