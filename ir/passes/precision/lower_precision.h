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
// Products that are left out, and why, are said as near misses: thin ones (a size that is known and
// below 32), and batches of matrices.
//
// Runs after differentiation: a derivative is that of the graph in f32.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph lower_precision(const Graph& graph, PassContext& context);

}  // namespace weft::ir
