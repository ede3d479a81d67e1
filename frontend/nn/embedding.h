// frontend/nn/embedding.h -- vectors of tokens.
//
// Throws GraphError, at the line of the call, where shapes or settings do not go together.
#pragma once
#include "frontend/language/scope.h"

namespace weft {

// The rows of E: T[V,M], the parameter p itself, at `ids`.      ids: integer[...] -> T[...,M]
Tensor embedding(const Scope& p, const Tensor& ids, const Dim& vocabulary, const Dim& width,
                 const Initializer& initializer = init::normal(0.01),
                 SourceLoc loc = SourceLoc::here());

}  // namespace weft
