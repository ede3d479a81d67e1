// frontend/nn/loss.h -- losses over a vocabulary; a pass makes one op of each.
//
// Throws GraphError, at the line of the call, where shapes or settings do not go together.
#pragma once
#include "frontend/language/tensor.h"

namespace weft {

// (1 - smoothing) * -log p[label] + smoothing * mean over the vocabulary of -log p
// (Szegedy et al. 2016, eq. 7, as PyTorch spells it)
// logits: T[...,V], labels: integer[...] -> T[...]
Tensor smoothed_cross_entropy(const Tensor& logits, const Tensor& labels, double smoothing,
                              SourceLoc loc = SourceLoc::here());

}  // namespace weft
