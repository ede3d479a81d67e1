// ir/passes/fuse/attention/attention_scores.h -- reading masked, biased, scaled scores back to queries and keys.
#pragma once
#include "ir/passes/fuse/attention/attention_mask.h"
#include "ir/passes/fuse/attention/attention_product.h"

namespace weft::ir {

struct ScoreBias {
  Value value;
  double factor = 1;
  Value distances;  // where value is `by_distance` of them
};

struct Scores : Product {
  double scale = 1;
  Value scale_by, divide_by;  // scalars known at run time only
  std::vector<ScoreBias> biases;
  bool by_distance = false;  // all biases are of distances
  std::vector<Mask> masks;   // all must allow
  Integers band;  // as in ops::attention: what masks of positions say, no longer in masks
  std::vector<std::string> no_bands;  // why masks that compare positions are none
  bool masked = false;
};

// Reads the operand of a softmax over keys: a score that was scaled, biased and masked in any order
// (mask: select with -inf, or a sum with 0 and -inf). False where the score is neither a dot nor an
// additive one; `masked` then tells whether the operand was masked.
bool find_scores(const GraphUses& readers, Value e, Scores& scores);

}  // namespace weft::ir
