// ir/passes/fuse/attention_scores.h -- reading masked, biased, scaled scores back to queries and keys.
#pragma once
#include "ir/rewrite/pattern.h"

namespace weft::ir {

// A value and the shape it is read in: its own but for axes of size 1, and for the last two
// exchanged where `swapped`.
struct Shaped {
  Value value;
  Shape shape;
  bool swapped = false;
};

struct Mask {
  Value value;
  bool negated = false;
  Shape shape;
};

struct ScoreBias {
  Value value;
  double factor = 1;
};

struct Scores {
  std::vector<Shaped> q, k;  // to be added up, in q's and k's own shape (no broadcast axes)
  Value v_a;                 // additive only
  double scale = 1;
  Value scale_by, divide_by;  // scalars known at run time only
  std::vector<ScoreBias> biases;
  std::vector<Mask> masks;  // all must allow
  bool masked = false;
  bool causal = false;     // query t sees keys up to t: one of the masks, no longer among them
  bool single = false;     // one query: scores [...,S]
  Shape shape;             // of the scores
  std::vector<int> nodes;  // matched
  std::string reason;      // why the score is none, in the user's names
};

// Reads the operand of a softmax over keys: a score that was scaled, biased and masked in any order
// (mask: select with -inf, or a sum with 0 and -inf). Masks are taken apart at their `and`s. False
// where the score is neither a dot nor an additive one; `masked` then tells whether the operand was
// masked.
bool find_scores(const Readers& readers, Value e, Scores& scores);

// `dim` counted from the end, 1 where there is no such axis; a shape without such an axis.
Dim at(const Shape& shape, size_t from_end);
Shape erased(Shape shape, size_t from_end);
// What terms broadcast to.
Shape widest(const std::vector<Shaped>& terms);

}  // namespace weft::ir
