// ir/passes/precision/lower_precision.h -- products read bf16 and add up in f32.
//
//   %y = linear(%x, %W; %b)
//     =>
//   %0 = cast(%x) {dtype=bf16}
//   %1 = cast(%W) {dtype=bf16}
//   %y = linear(%0, %1; %b)                 : f32
//
// (or linear(...) {rounded=true} : bf16, where products alone read %y.)
//
// So do the products in cells and in the loss. Everything else stays f32: parameters and their
// updates, norms, softmax, losses, gradients, what loops carry. A value is cast once, however many
// products read it; one that nothing else reads exists in bf16 only, from where it is made: through
// ops that move elements (reshape, pack, concat, ...), and in what loops stack and scan. So does one
// that is compared with 0 otherwise, by the derivative of relu: rounding keeps signs. What a loop
// does not change is cast in front of it.
//
// What the forward pass leaves to the backward pass is kept as bf16 if it is but multiplied there:
// inputs of norms, gates of cells, factors of an elementwise product.
//
//   %n, %mean, %rstd = layer_norm(%x) {statistics=true}
//   %dx = layer_norm_grad(%dn, %x, %mean, %rstd)                         (of the backward pass)
//     =>
//   %0 = cast(%x) {dtype=bf16}                                           (where %x is made)
//   %n, %mean, %rstd = layer_norm(%x) {statistics=true}
//   %1 = cast(%0) {dtype=f32}
//   %dx = layer_norm_grad(%dn, %1, %mean, %rstd)
//
// What the backward pass makes and only products read, but for such operands and sums over rows
// (gradients of biases), exists in bf16 only, too: they read what products read.
//
// A relative error of 2^-9 of such a factor is one of a term of a gradient, as that of any factor of
// a product. Sums of exponentials (lse) and statistics of rows stay f32: there it would be an
// absolute error of an exponent, or of all terms alike; and each is one number a row.
//
// Which operands may be bf16 says the op's row in ir/rules. Products that are left out, and why, are
// said as near misses: thin ones (a size that is known and below 32), and batches of matrices.
//
// Runs after differentiation: a derivative is that of the graph in f32.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph lower_precision(const Graph& graph, PassContext& context);

}  // namespace weft::ir
