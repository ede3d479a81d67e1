// frontend/nn/key_sets.h -- attention over two sets of keys at once, a window and a few keys that all
// queries see (Beltagy et al. 2020, "Longformer"; Guo et al. 2022, "LongT5").
//
// Each set has a mask, a bias and a band of its own, so that nothing of queries x keys is made to
// put them side by side. With a_i and l_i, what attention over set i alone gives and the logarithm of
// its sum of exponentials, the softmax over both is
//
//   sigmoid(l_1 - l_2) a_1 + sigmoid(l_2 - l_1) a_2
//
// A query that sees nothing in either set gives zeros, with zero gradients.
//
// Throws GraphError, at the line of the call, where shapes or settings do not go together.
#pragma once
#include "frontend/nn/multi_head.h"

namespace weft {

struct KeySet {
  KeysValues memory;         // of N keys
  Tensor mask;               // pred that broadcasts to [B,heads,T,N], or none
  Tensor bias;               // T likewise, or none;
  bool by_distance = false;  // ... or T[...,T+N-1] by the distance of key and query (by_distance)
  ir::Integers band;         // keys behind and ahead of its own position a query sees; empty: all
};

struct KeySetsAttended {
  Tensor context;        // T[B,T,heads*D]
  Tensor first, second;  // the weights, T[B,heads,T,N], before dropout
};

// x: T[B,T,M]; as attended_heads of the keys of both sets
KeySetsAttended attended_key_sets(const Scope& p, const Tensor& x, const KeySet& first,
                                  const KeySet& second, const MultiHeadOptions& options,
                                  SourceLoc loc = SourceLoc::here());

}  // namespace weft
