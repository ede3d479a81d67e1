// ir/passes/fuse/attention/attention_mask.h -- what hides keys from queries, taken apart.
#pragma once
#include "ir/rewrite/pattern.h"

namespace weft::ir {

struct Mask {
  Value value;
  bool negated = false;
  Shape shape;  // that it is read in: its own but for axes of size 1
};

// Adds the masks that must all allow a key for `m` (negated: for `not m`) to allow it: `and` is
// taken apart, also behind `not`, `broadcast` and reshapes that put in axes of size 1.
void add_masks(const GraphUses& readers, Value m, bool negated, std::vector<Mask>& masks);

// As a condition and what it hides: select(m, e, -inf), either way round.
struct Hidden {
  Value mask, rest;
  bool negated = false;
};
std::optional<Hidden> hidden(const GraphUses& readers, const Node& select);

// A bias that is 0 or -inf, select(m, 0, -inf): a mask too.
std::optional<Hidden> hidden_by_sum(const GraphUses& readers, Value bias);

}  // namespace weft::ir
