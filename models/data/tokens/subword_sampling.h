// models/data/tokens/subword_sampling.h -- other pieces of the same texts in each epoch: subword
// regularisation (Kudo 2018; BPE-dropout, Provilkov et al. 2020).
//
// The pieces of an example are a function of (seed, epoch, the example's id) and of what it is made
// of: a run that goes on draws what it would have drawn.
#pragma once
#include "models/data/corpus.h"

#include <cstdint>

namespace weft::data {

struct SubwordSampling {
  Tokenizer source, target;  // words and characters stay as they are
  double alpha = 0;          // 0: nothing is drawn
  int64_t best = 64;         // of unigram: the segmentations drawn from
  uint64_t seed = 1;
  int64_t most_positions = 0;  // a side that would take more keeps its pieces; 0: no limit

  bool is_on() const {
    return alpha > 0 && (has_subwords(source.kind()) || has_subwords(target.kind()));
  }
  EncodedExample sample(EncodedExample example, int64_t epoch) const;
};

}  // namespace weft::data
