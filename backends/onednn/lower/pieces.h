// backends/onednn/lower/pieces.h -- kernels that several lowerings are made of.
#pragma once
#include "backends/onednn/plan/lowering.h"
#include "backends/onednn/plan/moves.h"

namespace weft::onednn {

// to[N] = sum of the rows of x[M,N], both dense.
void emit_row_sum(Emit& e, const Tensor& x, Ref to, const std::optional<RowBound>& rows = {});

struct MatmulOptions {
  std::optional<Tensor> bias;      // f32[N]
  std::optional<Tensor> residual;  // of c's shape, or c itself: added last, without an activation
  std::string_view activation = "none";
  bool accumulate = false;             // c += a b
  std::optional<RowBound> rows = {};   // of a and c, both then of rank 2
  std::optional<RowBound> depth = {};  // of what is summed over: a's columns, b's rows; likewise
};
// c[...,M,N] = a[...,M,K] b[...,K,N] on float; leading axes are those of c or 1, of any stride.
// Where one of a and b is bf16 the other is rounded to it; sums are f32, and c is that or bf16.
void emit_matmul(Emit& e, Tensor a, Tensor b, Tensor c, const MatmulOptions& options = {});
// x in another dtype, f32 or bf16: a temporary, of whose rows the first ones are written.
Tensor emit_cast(Emit& e, const Tensor& x, ir::DType dtype,
                 const std::optional<RowBound>& rows = {});
void emit_cast(Emit& e, const Tensor& from, const Tensor& to,
               const std::optional<RowBound>& rows = {});
// In place.
void emit_activation(Emit& e, std::string_view activation, const Tensor& x,
                     const std::optional<RowBound>& rows = {});

}  // namespace weft::onednn
