// models/families/rnn/copying.cpp -- tokens of the source as words of the translation (See et al. 2017).
#include "models/families/rnn/parts.h"

namespace weft::rnn {

Tensor log_mixture(const Tensor& logits, const Tensor& weights, const Tensor& generate,
                   const Tensor& tokens, SourceLoc loc) {
  const CalledFrom from(loc);
  const Tensor g = expand(generate, -1);
  const Tensor p = add_along_axis(exp(log_softmax(logits)) * g, tokens, weights * (1 - g));
  return log(maximum(p, 1e-30));
}

Tensor mixture_losses(const Tensor& logits, const Tensor& weights, const Tensor& generate,
                      const Tensor& tokens, const Tensor& labels, SourceLoc loc) {
  const CalledFrom from(loc);
  const Tensor copied = sum(where(expand(labels, -1) == expand(tokens, 0), weights, 0), -1);
  const Tensor p = generate * exp(-cross_entropy(logits, labels)) + (1 - generate) * copied;
  return -log(maximum(p, 1e-30));
}

}  // namespace weft::rnn
