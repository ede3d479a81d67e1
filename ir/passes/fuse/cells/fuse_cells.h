// ir/passes/fuse/cells/fuse_cells.h -- the equations of GRU and LSTM cells become one op.
//
//   z = sigmoid(x Wz + s Uz)           gates side by side in one matrix, or one matrix each;
//   r = sigmoid(x Wr + s Ur)           any number of inputs and biases
//   n = tanh(x W + (r * s) U)          reset before the matmul (Cho et al. 2014),
//     | tanh(x W + r * (s U + b))      or after it (PyTorch, cuDNN)
//   s1 = s + z * (n - s), (1-z) * s + z * n, n + z * (s - n), (1-z) * n + z * s
//     =>
//   s1 = gru_cell(g, s, [Uz Ur], U; b) {reset}, g = x [Wz Wr W] + ...
//
//   c1 = f * c + i * n, h1 = o * tanh(c1)   =>   h1, c1 = lstm_cell(g, h, c, U)
//
// Where the user's update runs the other way than the op's (reset before with (1-z) * n + z * s), z
// is replaced by 1 - z = sigmoid(-x): the weights of z are negated. Matrices that are not side by
// side already are concatenated; in a loop split_scan hoists that, in a decoding step it is done
// each time.
//
// Held back where a gate or the candidate is read elsewhere, and for peephole connections.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph fuse_cells(const Graph& graph, PassContext& context);

}  // namespace weft::ir
