// backends/onednn/lower/matmul_primitive.h -- matrix products as oneDNN primitives.
//
// Four ways, the first that can:
//   by rows      b is one matrix that oneDNN likes in blocks (format_tag::any; it does where it has
//                brgemm, that is with AVX-512) and that outlives its products: it is laid out so
//                once, in front of all that read it; for a single product only where that pays
//                (worth_laying_out). Rows are cut into tiles (row_tiles.h).
//   run time     rows or depth are known when the product runs only, or rows are many, and b lies as
//                it does: one primitive whose M or K is a run-time size (gemm:jit).
//   whole        one primitive of fixed sizes. Leading axes are folded into rows where b has none;
//                transposes, padded rows and broadcast batches are strides.
//   one by one   where oneDNN cannot follow a batch's strides.
// Operands are f32, or both bf16 with sums in f32; c is f32 or bf16.
#pragma once
#include "backends/onednn/plan/lowering.h"

namespace weft::onednn {

// c[...,M,N] = activation(a[...,M,K] b[...,K,N] + bias), or that added to c or to `residual`.
struct Product {
  Tensor a, b, c;                        // of equal rank, or b of rank 2
  std::optional<Tensor> bias;            // f32[N]
  std::optional<Tensor> residual = {};   // of c's shape; or c itself
  std::string_view activation = "none";  // or gelu
  bool accumulate = false;
  std::optional<RowBound> rows = {}, depth = {};  // of matrices: see MatmulOptions
};

double product_flops(const Tensor& a, const Tensor& c);
// False, with nothing emitted, where oneDNN has only its reference implementation, or none.
bool emit_product(Emit& e, const Product& product);

// Whether oneDNN has a layout of its own for the right operands of products of f32 here. Products
// then want rows of a and c side by side, not padded.
bool has_weight_layouts();

}  // namespace weft::onednn
