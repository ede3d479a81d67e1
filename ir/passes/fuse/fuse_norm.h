// ir/passes/fuse/fuse_norm.h -- mean, variance and their root become layer norm or RMS norm.
//
//   %m = mean(%x) {axes=[-1], keep=true}     %c = sub(%x, %m)       %cc = mul(%c, %c)
//   %v = mean(%cc) {axes=[-1], keep=true}    %e = add(%v, eps)      %r = rsqrt(%e)
//   %n = mul(%c, %r)                         %s = mul(%n, %scale)   %y = add(%s, %shift)
//     =>
//   %y = layer_norm(%x; %scale; %shift) {eps}
//
// and without the mean rms_norm. Scale and shift are optional vectors of the row's width;
// x / sqrt(...) is read as x * rsqrt(...), a sum times 1/width as a mean. Held back where anything
// in between is read elsewhere, and where other axes than the last are normalised.
#pragma once
#include "ir/passes/pass.h"

namespace weft::ir {

Graph fuse_norm(const Graph& graph, PassContext& context);

}  // namespace weft::ir
