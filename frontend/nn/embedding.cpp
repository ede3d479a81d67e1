// frontend/nn/embedding.cpp -- vectors of tokens.
#include "frontend/nn/embedding.h"

namespace weft {

Tensor embedding(const Scope& p, const Tensor& ids, const Dim& vocabulary, const Dim& width,
                 const Initializer& initializer, SourceLoc loc) {
  const auto in = p.enter(loc);
  return embedding(p.parameter({vocabulary, width}, initializer), ids);
}

}  // namespace weft
