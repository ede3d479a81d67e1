// autodiff/guard.h -- adjoints that are zero where a select chose something else.
//
//   y = select(c, sqrt(x), 0)   =>   ds = select(c, dy, 0),   dx = select(c, dy / (2 s), 0)
//
// and not ds / (2 s), which is 0/0 where x is 0. One select stays one select: it moves outwards, past
// elementwise ops, past those that only move all elements, and, where it chooses whole rows, past
// softmax, log_softmax and what makes one element of a row; other sums and products end its way.
#pragma once
#include "autodiff/rule.h"

#include <map>
#include <utility>
#include <vector>

namespace weft::autodiff {

// select(cond, value, 0), for a `when` of false select(cond, 0, value), for each of the conditions.
struct Guarded {
  ir::Value value;
  std::vector<std::pair<ir::Value, bool>> conditions;
  bool any() const { return !conditions.empty(); }
};

class Guards {
 public:
  explicit Guards(ir::Builder& builder) : builder_(&builder) {}

  // What the op's rule is given in place of its cotangent; nothing: the cotangent as it is.
  Guarded reaches_through(const ir::OpView& op, const ir::Values& cotangents) const;

  // The adjoint of operand i made by the rule from what `reaches_through` gave: guarded again.
  ir::Value hand_on(Vjp& vjp, const VjpRule& rule, size_t i, ir::Value grad, Guarded guarded,
                    const ir::Values& cotangents);

  // The sum of contributions, the first first; those of one guard are added up inside it.
  ir::Value sum(const ir::Values& contributions);

 private:
  ir::Value selected(ir::Value v, const Guarded& guarded) const;  // v within the selects
  ir::Value put(const Guarded& guarded);  // the same of its value, remembered

  ir::Value behind(Vjp& vjp, const VjpRule& rule, ir::Value condition);

  ir::Builder* builder_;
  std::map<ir::Value, Guarded> known_;      // by the value that the selects make
  std::map<ir::Value, ir::Value> columns_;  // conditions of rows, [...] as [...,1]
};

}  // namespace weft::autodiff
