// ir/ops/matmul.h -- matrix product, batched.
//
//   c = matmul(a, b) {transpose_a, transpose_b}    a: T[...,M,K], b: T[...,K,N]  ->  c: R[...,M,N]
//
// With a transpose the last two axes of that operand are read exchanged. Leading axes broadcast (a
// literal 1, or absent). An operand of rank 2 is shared by the whole batch. R is T, but products of
// bf16 are added up in f32.
#pragma once
#include "ir/op_def.h"

namespace weft::ir::ops {

Types infer_matmul(const OpView& op);
Types infer_linear(const OpView& op);
Graph expand_linear(const OpView& op);

inline constexpr OpDef matmul{
    .name = "matmul",
    .operands = {"a", "b"},
    .attrs = {{"transpose_a", false}, {"transpose_b", false}},
    .infer = infer_matmul,
    .zero_preserving = true,
    .doc = "Matrix product over the last two axes; leading axes broadcast."};

// y = activation(x w + bias) + residual ; x: T[...,K], w: T[K,N] (T[N,K] transposed), bias: R[N],
// residual: R[...,N], without an activation only. `rounded`, a result that is f32 becomes bf16 last.
// Fused.
inline constexpr OpDef linear{
    .name = "linear",
    .operands = {"x", "w", {"bias", Arity::optional}, {"residual", Arity::optional}},
    .attrs = {{"transpose_b", false}, {"activation", "none"}, {"rounded", false}},
    .infer = infer_linear,
    .expand = expand_linear,
    .doc =
        "matmul, bias, activation (none, relu, tanh, sigmoid, gelu, gelu_tanh, silu) and what is "
        "added last in one."};

inline constexpr const OpDef* kMatmulOps[] = {&matmul, &linear};

}  // namespace weft::ir::ops
