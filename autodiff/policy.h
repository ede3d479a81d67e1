// autodiff/policy.h -- how much of the forward computation is kept for the backward pass, and how
// much is computed again.
#pragma once

namespace weft::autodiff {

struct ResidualPolicy {
  // In loops: a value is recomputed where what must be saved for that is smaller than `threshold`
  // of its own size: 0 saves nearly everything, a large one trades time for memory.
  double threshold = 1;
  // In loops: contractions, cells and attention are recomputed too, not just what is cheap.
  bool recompute_contractions = false;
  // Outside of loops: the forward graph is cut into so many pieces, and what only one piece reads
  // is computed again for its adjoint (Chen et al. 2016). Up to 1: everything is kept.
  int segments = 1;
  // Outside of loops: what memory moves make of values that are there anyway (weights side by side,
  // rows packed, norms, rows looked up) is made again. It costs a hundredth of a transformer's
  // step.
  bool recompute_moves = true;

  bool operator==(const ResidualPolicy&) const = default;
};

}  // namespace weft::autodiff
