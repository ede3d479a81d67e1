// frontend/nn/loss.cpp -- losses in plain ops.
#include "frontend/nn/loss.h"

namespace weft {

Tensor smoothed_cross_entropy(const Tensor& logits, const Tensor& labels, double smoothing,
                              SourceLoc loc) {
  const CalledFrom from(loc);
  if (!(smoothing >= 0 && smoothing < 1))
    fail(loc, "'smoothed_cross_entropy' smoothing must lie in [0, 1), found ", smoothing);
  if (smoothing == 0) return cross_entropy(logits, labels);
  if (!logits.valid()) fail(loc, "a tensor is used that was never made");
  const int64_t rows = logits.rank() - 1;
  const Tensor nll = -log_softmax(logits);
  const Tensor chosen = gather(nll, labels, {.axis = rows, .batch = rows});
  return chosen * (1 - smoothing) + mean(nll, -1) * smoothing;
}

}  // namespace weft
